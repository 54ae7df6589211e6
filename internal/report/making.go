package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
)

// making is the section on how the candidate came to be, for whoever wants to make it again.
type making struct {
	Lead       string
	Facts      []fact
	Parameters *grid
	Metrics    *grid
	Curves     *gallery
	Sweep      *sweep
	Usage      *grid
	Refs       *grid
}

func makingOf(d Dossier) making {
	m := d.Training
	s := making{
		Lead: fmt.Sprintf("A %s model, trained on %s with %s.", or(m.Kind, "(unnamed)"),
			countOf(m.Training.Rows, "row", "rows"), countOf(len(m.Features), "column", "columns")),
		Facts:   builtInFacts(m),
		Metrics: metricsGrid(d),
		Curves:  curvesOf(d),
		Sweep:   sweepOf(d),
		Usage:   usageGrid(d.Usage),
		Refs:    refsGrid(d.Refs),
	}
	if m.Program != nil {
		s.Lead, s.Facts, s.Parameters = programLead(m), programFacts(m), parametersGrid(m, d.Sweep)
	}
	s.Facts = append(s.Facts,
		fact{Term: "Lifecycle", Detail: d.Lifecycle, Code: true},
		fact{Term: "Dossier made", Detail: moment(d.Created)},
		fact{Term: "Spec", Detail: or(d.Spec.String(), notAvailable), Code: true},
	)
	return s
}

// builtInFacts are about a model that one of Assay's own trainers made.
func builtInFacts(m model.Manifest) []fact {
	facts := []fact{
		{Term: "Trainer", Detail: strings.TrimSpace(m.Trainer + " " + m.TrainerVersion)},
		{Term: "Parameters", Detail: parameters(m.Parameters)},
		{Term: "End of training", Detail: ending(m)},
		{Term: "Device", Detail: deviceNames(m)},
	}
	if m.DeviceUse != nil {
		facts = append(facts, fact{Term: "Use of the device", Detail: deviceUse(m)})
	}
	return append(facts,
		fact{Term: "Columns used", Detail: or(list(m.Features), "none")},
		fact{Term: "Program", Detail: environment(m.Environment)},
	)
}

func environment(e model.Environment) string {
	return strings.TrimSpace(fmt.Sprintf("Assay %s, %s %s/%s", e.Assay, e.Go, e.OS, e.Arch))
}

func refsGrid(refs []NamedRef) *grid {
	if len(refs) == 0 {
		return nil
	}
	g := &grid{
		Caption: "Everything this dossier rests on", Note: "Each digest is the SHA-256 of the bytes in the artifact store; anyone can recompute it.",
		Class: "digests", Head: []cell{{Text: "What"}, {Text: "Digest"}},
	}
	for _, r := range refs {
		g.Rows = append(g.Rows, []cell{{Text: r.Name, Note: bytesOf(r.Ref.Size)}, {Text: r.Ref.Digest.String()}})
	}
	return g
}

// parameters are those of a built-in trainer in words; one that this package does not know keeps its name.
func parameters(p spec.Parameters) string {
	var parts []string
	known := []string{spec.ParameterL2, spec.ParameterMaxIterations, spec.ParameterTolerance}
	for _, name := range known {
		f, isNumber := p[name].Float()
		switch {
		case !isNumber:
		case name == spec.ParameterL2:
			parts = append(parts, "L2 penalty "+general(f))
		case name == spec.ParameterMaxIterations && f >= 1 && f < 1e15:
			parts = append(parts, "at most "+countOf(int64(f), "iteration", "iterations"))
		case name == spec.ParameterTolerance:
			parts = append(parts, "tolerance "+general(f))
		}
	}
	for _, name := range sortedNames(p) {
		if !slices.Contains(known, name) {
			parts = append(parts, brief(name, nameLetters)+" "+value(p[name]))
		}
	}
	return or(strings.Join(parts, ", "), "defaults")
}

func ending(m model.Manifest) string {
	f := m.Fit
	if m.Privacy != nil {
		return "After " + countOf(f.Iterations, "step", "steps") + " of private training, which does not say how far from the best they came: that would show the data."
	}
	iterations := countOf(f.Iterations, "iteration", "iterations")
	if f.Converged {
		return "Converged after " + iterations + "."
	}
	return "Stopped after " + iterations + " without converging: more iterations could give another model."
}

// deviceNames are the devices that were held, equal ones counted.
func deviceNames(m model.Manifest) string {
	if len(m.Devices) == 0 {
		return deviceName(m.Device)
	}
	var names []string
	times := map[string]int{}
	for _, d := range m.Devices {
		name := deviceName(&d)
		if times[name] == 0 {
			names = append(names, name)
		}
		times[name]++
	}
	for i, name := range names {
		if times[name] > 1 {
			names[i] = fmt.Sprintf("%d × %s", times[name], name)
		}
	}
	return strings.Join(names, "; ")
}

func deviceName(d *device.Device) string {
	switch {
	case d == nil:
		return "processor (CPU)"
	case d.Simulated:
		return d.Name + ", simulated: no accelerator took part, the work ran on the processor"
	}
	return d.Name
}

// deviceUse says how much of the devices was used.
func deviceUse(m model.Manifest) string {
	u := m.DeviceUse
	if u == nil {
		return "It was not measured."
	}
	devices := m.Devices
	if len(devices) == 0 && m.Device != nil {
		devices = []device.Device{*m.Device}
	}
	memory := int64(0)
	for _, d := range devices {
		memory += d.MemoryBytes
	}
	text := "At most " + bytesOf(u.PeakMemoryBytes)
	if memory > 0 {
		text += " of " + bytesOf(memory)
	}
	return fmt.Sprintf("%s of memory at once. Busy %s of the time on average (%s).", text, percent(clamp(u.Utilisation, 0, 1)), countOf(u.Samples, "sample", "samples"))
}

// bytesOf writes a size in the decimal units people meet.
func bytesOf(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if n >= unit.size {
			return fmt.Sprintf("%.1f%s%s", float64(n)/float64(unit.size), nbsp, unit.name)
		}
	}
	return countOf(n, "byte", "bytes")
}
