package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"golang.org/x/term"
)

// view prints a lifecycle's progress: a line when a stage ends, and on a terminal a live line for the one running.
type view struct {
	app         *app
	live        bool // a terminal: the last line may be rewritten
	printed     map[stage.Name]bool
	told        map[stage.Name]bool // long stages, in a pipe
	failures    map[string]bool     // told already
	asked       string              // the request for decisions that was printed last
	lastTrouble string
	open        bool // a live line stands unfinished
}

func newView(a *app) *view {
	f, isFile := a.out.(*os.File)
	return &view{app: a, printed: map[stage.Name]bool{}, told: map[stage.Name]bool{}, failures: map[string]bool{}, live: isFile && term.IsTerminal(int(f.Fd()))}
}

// update shows what is new in a status.
func (v *view) update(s workflows.Status) {
	if v.app.output == "json" {
		return
	}
	v.lastTrouble = ""
	for _, line := range s.Stages {
		if v.printed[line.Stage] || line.Finished.IsZero() {
			continue
		}
		v.printed[line.Stage] = true
		v.clear()
		fmt.Fprintln(v.app.out, stageLine(line))
	}
	if s.Stage == stage.Review && s.Review != nil && s.Review.Outcome == review.Open {
		v.ask(s)
	}
	v.running(s)
}

func stageLine(line workflows.StageStatus) string {
	took := fmt.Sprintf("%6.2f s", line.Finished.Sub(line.Started).Seconds())
	mark := "done   "
	switch {
	case line.State == workflows.Stopped:
		mark = "stopped"
	case line.Cached:
		mark = "stored " // answered from the store
	}
	return fmt.Sprintf("  %-9s %s %s  %s", line.Stage, mark, took, line.Summary)
}

// ask prints, once per change, whose decisions are missing and the exact lines that give them.
func (v *view) ask(s workflows.Status) {
	text := requestText(s)
	if text == v.asked {
		return
	}
	v.asked = text
	v.clear()
	fmt.Fprint(v.app.out, text)
}

func requestText(s workflows.Status) string {
	if s.Review == nil || s.Review.Outcome != review.Open {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  waiting for people until %s. Read the dossier: starter dossier %s -f dossier.html\n", s.Review.Deadline.Local().Format("2006-01-02 15:04:05 MST"), s.Lifecycle)
	for _, seat := range s.Review.Missing {
		fmt.Fprintf(&b, "  next step (%d more from role %s):\n    starter approve %s --as NAME --role %s --dossier %s --reason \"...\"\n", seat.Approvals, seat.Role, s.Lifecycle, seat.Role, s.Review.Dossier)
	}
	return b.String()
}

// running keeps a live line on a terminal; in a pipe it says once what a stage that takes long waits for.
func (v *view) running(s workflows.Status) {
	for _, line := range s.Stages {
		if line.State != workflows.Running {
			continue
		}
		took := time.Since(line.Started)
		switch {
		case v.live:
			v.clear()
			fmt.Fprintf(v.app.out, "  %-9s ...     %6.1f s  %s", line.Stage, took.Seconds(), line.Summary)
			v.open = true
		case took > longStage && line.Summary != "" && !v.told[line.Stage]:
			v.told[line.Stage] = true
			fmt.Fprintf(v.app.out, "  %-9s ...     %6.1f s  %s\n", line.Stage, took.Seconds(), line.Summary)
		}
		return
	}
}

// longStage is how long a stage runs before a pipe is told what it waits for.
const longStage = 5 * time.Second

// retrying tells, once per failure, what failed and will be tried again.
func (v *view) retrying(waiting []retry) {
	for _, r := range waiting {
		told := r.Activity + r.Failure
		if v.app.output == "json" || v.failures[told] {
			continue
		}
		v.failures[told] = true
		v.clear()
		fmt.Fprintf(v.app.out, "  %s\n", r)
	}
}

// trouble says once that the lifecycle does not answer, and goes on trying.
func (v *view) trouble(err error) {
	if text := err.Error(); text != v.lastTrouble {
		v.lastTrouble = text
		v.clear()
		fmt.Fprintf(v.app.err, "starter: %s (still trying)\n", text)
	}
}

func (v *view) clear() {
	if v.open {
		io.WriteString(v.app.out, "\r\x1b[K")
		v.open = false
	}
}

func (v *view) close() { v.clear() }
