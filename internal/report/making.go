package report

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/model"
)

// making is the section on how the candidate came to be, for whoever wants to make it again.
type making struct {
	Lead  string
	Facts []fact
	Refs  *grid
}

func makingOf(d Dossier) making {
	m := d.Training
	s := making{
		Lead: fmt.Sprintf("A %s model, trained on %s with %s.", or(m.Kind, "(unnamed)"),
			countOf(m.Training.Rows, "row", "rows"), countOf(len(m.Features), "column", "columns")),
		Facts: []fact{
			{Term: "Trainer", Detail: strings.TrimSpace(m.Trainer + " " + m.TrainerVersion)},
			{Term: "Parameters", Detail: parameters(m)},
			{Term: "End of training", Detail: ending(m.Fit)},
			{Term: "Device", Detail: deviceName(m.Device)},
			{Term: "Columns used", Detail: or(list(m.Features), "none")},
			{Term: "Program", Detail: strings.TrimSpace(fmt.Sprintf("Assay %s, %s %s/%s", m.Environment.Assay, m.Environment.Go, m.Environment.OS, m.Environment.Arch))},
			{Term: "Lifecycle", Detail: d.Lifecycle, Code: true},
			{Term: "Dossier made", Detail: moment(d.Created)},
			{Term: "Spec", Detail: or(d.Spec.String(), notAvailable), Code: true},
		},
	}
	if len(d.Refs) == 0 {
		return s
	}
	s.Refs = &grid{
		Caption: "Everything this dossier rests on", Note: "Each digest is the SHA-256 of the bytes in the artifact store; anyone can recompute it.",
		Class: "digests", Head: []cell{{Text: "What"}, {Text: "Digest"}},
	}
	for _, r := range d.Refs {
		s.Refs.Rows = append(s.Refs.Rows, []cell{{Text: r.Name, Note: bytesOf(r.Ref.Size)}, {Text: r.Ref.Digest.String()}})
	}
	return s
}

func parameters(m model.Manifest) string {
	var parts []string
	if m.Parameters.L2 != nil {
		parts = append(parts, "L2 penalty "+general(*m.Parameters.L2))
	}
	if m.Parameters.MaxIterations > 0 {
		parts = append(parts, "at most "+countOf(m.Parameters.MaxIterations, "iteration", "iterations"))
	}
	if m.Parameters.Tolerance > 0 {
		parts = append(parts, "tolerance "+general(m.Parameters.Tolerance))
	}
	return or(strings.Join(parts, ", "), "defaults")
}

func ending(f model.Fit) string {
	iterations := countOf(f.Iterations, "iteration", "iterations")
	if f.Converged {
		return "Converged after " + iterations + "."
	}
	return "Stopped after " + iterations + " without converging: more iterations could give another model."
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
