package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/internal/search"
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
	open        bool                  // a live line stands unfinished
	trials      map[search.Trial]bool // printed already
	searching   string                // how far the sweep has come
	missed      int                   // trials that ended between two looks
	swept       bool                  // every trial of the sweep was printed, as far as its status shows them
	training    string                // how far the training has come, by its last heartbeat
	saidAt      time.Time             // when a pipe was last told of it
}

func newView(a *app) *view {
	f, isFile := a.out.(*os.File)
	return &view{app: a, printed: map[stage.Name]bool{}, told: map[stage.Name]bool{}, failures: map[string]bool{}, trials: map[search.Trial]bool{}, live: isFile && term.IsTerminal(int(f.Fd()))}
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
		if line.Stage == stage.Train {
			line.Summary = cmp.Or(v.training, v.searching, line.Summary)
		}
		switch {
		case v.live:
			v.clear()
			fmt.Fprintf(v.app.out, "  %-9s ...     %6.1f s  %s", line.Stage, took.Seconds(), line.Summary)
			v.open = true
		case took > longStage && line.Summary != "" && !v.told[line.Stage]:
			v.told[line.Stage] = true
			fmt.Fprintf(v.app.out, "  %-9s ...     %6.1f s  %s\n", line.Stage, took.Seconds(), line.Summary)
		case line.Stage == stage.Train && v.training != "" && time.Since(v.saidAt) > sayEvery:
			v.saidAt = time.Now()
			fmt.Fprintf(v.app.out, "  %-9s ...     %6.1f s  %s\n", line.Stage, took.Seconds(), line.Summary)
		}
		return
	}
}

// sayEvery is how often a pipe is told how far training has come.
const sayEvery = 10 * time.Second

// longStage is how long a stage runs before a pipe is told what it waits for.
const longStage = 5 * time.Second

// sweep prints the trials that have ended since the last look.
func (v *view) sweep(s workflows.SweepStatus) {
	if v.app.output == "json" {
		return
	}
	v.searching, v.swept = sweepLine(s), s.Ended != ""
	ended := s.Counts.Finished + s.Counts.Stopped + s.Counts.Failed
	for _, r := range s.Recent {
		if v.trials[r.Trial] {
			continue
		}
		v.trials[r.Trial] = true
		v.clear()
		fmt.Fprintln(v.app.out, trialLine(r, s.Metric))
	}
	if missed := ended - len(v.trials); missed > v.missed {
		v.clear()
		fmt.Fprintf(v.app.out, "    (%d more trials have ended meanwhile)\n", missed-v.missed)
		v.missed = missed
	}
}

// underWay shows how far training has come and tells, once per failure, what failed and will be tried again.
func (v *view) underWay(u underWay) {
	v.training = ""
	if u.Training != nil {
		v.training = progressText(*u.Training)
	}
	for _, r := range u.Retrying {
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
