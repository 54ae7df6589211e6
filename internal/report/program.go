package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
)

// Bounds on what is shown of a program; the JSON holds everything.
const (
	mostPackages      = 1000
	mostParameters    = 60
	mostResumed       = 10
	sentenceLetters   = 300
	parameterLetters  = 120
	mostCommandLength = 2000
)

func programLead(m model.Manifest) string {
	return fmt.Sprintf("Trained by the requester’s own program on %s with %s. Assay ran the program and recorded exactly what ran; it did not review the program’s code.",
		countOf(m.Training.Rows, "row", "rows"), countOf(len(m.Features), "column", "columns"))
}

// programFacts are about a model that a user's program made.
func programFacts(m model.Manifest) []fact {
	p := m.Program
	run := make([]string, len(p.Run))
	for i, word := range p.Run {
		run[i] = shellWord(word)
	}
	facts := []fact{
		{Term: "Trainer", Detail: strings.TrimSpace(m.Trainer+" "+m.TrainerVersion) + ": a program of the requester’s own"},
		{Term: "What ran", Detail: brief(or(strings.Join(run, " "), notAvailable), mostCommandLength), Code: true},
		{Term: "Executable", Detail: or(brief(p.Path, sentenceLetters), notAvailable), Code: true},
		{Term: "Digest of the executable", Detail: or(p.Executable.String(), notAvailable), Code: true},
		{Term: "Interpreter", Detail: or(brief(p.Interpreter, sentenceLetters), "not known: the program did not say")},
		{Term: "Digest of the code", Detail: digestOf(p.Code), Code: true},
		packages(p.Packages),
		{Term: "End of training", Detail: programEnding(m)},
		{Term: "Resumed", Detail: resumed(p.Resumed)},
		{Term: plural(max(len(m.Devices), 1), "Device", "Devices"), Detail: deviceNames(m)},
	}
	if m.Device != nil || len(m.Devices) > 0 || m.DeviceUse != nil {
		facts = append(facts, fact{Term: "Use of the device", Detail: deviceUse(m)})
	}
	facts = append(facts, fact{Term: "Columns used", Detail: or(list(m.Features), "none")})
	if !p.Output.IsZero() {
		facts = append(facts, fact{Term: "What it printed", Detail: digestOf(p.Output), Code: true})
	}
	if !p.OutputData.IsZero() {
		facts = append(facts, fact{Term: "Files it left besides", Detail: digestOf(p.OutputData), Code: true})
	}
	return append(facts, fact{Term: "Run by", Detail: environment(m.Environment)})
}

func digestOf(r artifact.Ref) string {
	if r.IsZero() {
		return notAvailable
	}
	return r.Digest.String()
}

func packages(all []string) fact {
	f := fact{Term: "Installed packages", Detail: "none known"}
	if len(all) == 0 {
		return f
	}
	f.Detail = countOf(len(all), "package", "packages")
	for _, p := range all[:min(len(all), mostPackages)] {
		f.Items = append(f.Items, brief(p, nameLetters))
	}
	if left := len(all) - len(f.Items); left > 0 {
		f.Items = append(f.Items, "and "+countOf(left, "other", "others"))
	}
	return f
}

func programEnding(m model.Manifest) string {
	const text = "The program came to its end and left a model. "
	if len(m.Metrics) == 0 {
		return text + "It reported no metrics, so nothing here shows how training went."
	}
	return text + fmt.Sprintf("It reported %s; the last and the best values stand below.", countOf(len(m.Metrics), "metric", "metrics"))
}

func resumed(sentences []string) string {
	if len(sentences) == 0 {
		return "No: the attempt that made the model began at the beginning."
	}
	parts := []string{countOf(len(sentences), "attempt", "attempts") + " began from a checkpoint that an earlier one had left."}
	for _, s := range sentences[:min(len(sentences), mostResumed)] {
		if s = sentence(s); s != "" {
			parts = append(parts, capital(s))
		}
	}
	if left := len(sentences) - mostResumed; left > 0 {
		parts = append(parts, "So did "+countOf(left, "other", "others")+".")
	}
	return strings.Join(parts, " ")
}

// capital makes the first letter a capital one.
func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// parametersGrid lists what the program was given by name; those that a sweep searched are marked.
func parametersGrid(m model.Manifest, s *search.Report) *grid {
	g := &grid{Caption: "Parameters", Note: "As the program was given them.", Class: "pair", Head: []cell{{Text: "Name"}, {Text: "Value"}}}
	if len(m.Parameters) == 0 {
		return nil
	}
	var searched []string
	if s != nil {
		searched = searchedNames(s.Trials)
	}
	names := sortedNames(m.Parameters)
	for _, name := range names[:min(len(names), mostParameters)] {
		row := []cell{{Text: brief(name, nameLetters)}, {Text: or(brief(m.Parameters[name].String(), parameterLetters), "(empty)")}}
		if slices.Contains(searched, name) {
			row[0].Note = "searched by the sweep"
		}
		g.Rows = append(g.Rows, row)
	}
	if left := len(names) - len(g.Rows); left > 0 {
		g.Note += " " + countOf(left, "further parameter is", "further parameters are") + " not listed."
	}
	return g
}

func sortedNames(p spec.Parameters) []string { return slices.Sorted(maps.Keys(p)) }

// value writes a parameter for people: numbers with the digits that count, long texts cut.
func value(v spec.Value) string {
	f, isNumber := v.Float()
	if text := v.String(); !isNumber || len(text) <= 8 {
		return or(brief(text, parameterLetters/2), "(empty)")
	}
	return measured(f)
}
