package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-ml/assay/tests/bench/figures"
)

const (
	stepRows  = 60 // of the training that is killed
	stepSleep = 400 * time.Millisecond
	apart     = 6 // steps between two kills, at least
)

// kills kills the whole local stack, worker and server alike, while a user's program trains that writes a checkpoint after
// every step, and counts the steps that were done again. The model must be that of an undisturbed training.
func (b *bench) kills() error {
	n := 3
	if b.quick {
		n = 1
	}
	folder, err := os.MkdirTemp("", "assay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	code, err := codeFolder(folder)
	if err != nil {
		return err
	}
	k := killed{self: b.self, spec: ownSpec("bench-killed", b.self, code, 3000, map[string]any{"rows": stepRows, "delay": stepSleep.Seconds()})}
	calm, err := k.run(b.ctx, filepath.Join(folder, "calm"), 0)
	if err != nil {
		return err
	}
	disturbed, err := k.run(b.ctx, filepath.Join(folder, "killed"), n)
	if err != nil {
		return err
	}
	equal := "the same to the byte"
	if calm.model != disturbed.model {
		equal = "DIFFERENT: " + calm.model + " and " + disturbed.model
	}
	b.add(fmt.Sprintf("steps done again after SIGKILL of everything, most of %d", n), fmt.Sprint(slices.Max(disturbed.again)), "<= 1, a checkpoint's interval",
		fmt.Sprintf("each time: %v; besides the step at work; %d steps of at least %s, a checkpoint after each", disturbed.again, disturbed.steps, stepSleep))
	b.add("  from the kill until it trains on, median", fmt.Sprintf("%.1f s", figures.Quantile(disturbed.waits, 0.5)), "",
		"restarted at once; a training whose worker is not heard of for 20 s (heartbeat timeout) goes to another")
	b.add("  model, against an undisturbed training", equal, "the same to the byte", "")
	return nil
}

// killed is a training on stacks of its own.
type killed struct {
	self string
	spec map[string]any
}

// survived is what became of it.
type survived struct {
	model string    // digest
	steps int       // in all
	again []int     // by kill: steps that the log shows as done before it and that were done again
	waits []float64 // by kill: seconds until the program was resumed
}

// run trains on a new stack and kills it so many times meanwhile.
func (k killed) run(ctx context.Context, state string, kills int) (s survived, err error) {
	d, err := newDevstack(ctx, state, k.self)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.start(); err != nil {
		return s, err
	}
	if err := d.connect(); err != nil {
		return s, err
	}
	id, err := d.begin("bench-killed", "only", k.spec)
	if err != nil {
		return s, err
	}
	var at []time.Time
	for range kills {
		when, err := k.killLater(d)
		if err != nil {
			return s, err
		}
		at = append(at, when)
		if err := d.start(); err != nil {
			return s, err
		}
		if err := d.connect(); err != nil {
			return s, err
		}
	}
	if _, err := d.trained(id, 3*time.Minute, 100*time.Millisecond); err != nil {
		return s, err
	}
	_, out, err := d.training(id)
	if err != nil {
		return s, err
	}
	l, err := readLog(d.log())
	if err != nil {
		return s, err
	}
	if len(l.again) != kills || len(l.resumed) != kills {
		return s, fmt.Errorf("the log shows %d resumptions and %d that the program told of, after %d kills", len(l.resumed), len(l.again), kills)
	}
	s.model, s.steps, s.again = out.Model.Digest.String(), l.done, l.again
	for i, when := range at {
		s.waits = append(s.waits, l.resumed[i].Sub(when).Seconds())
	}
	return s, nil
}

// killLater kills the stack when the program has done some more steps, at any moment of a step.
func (k killed) killLater(d *devstack) (time.Time, error) {
	l, err := readLog(d.log())
	if err != nil {
		return time.Time{}, err
	}
	until := l.done + apart
	err = await(d.ctx, fmt.Sprintf("step %d of the training", until), 2*time.Minute, 20*time.Millisecond, func() (bool, error) {
		l, err := readLog(d.log())
		return l.done >= until, err
	})
	if err != nil {
		return time.Time{}, err
	}
	select {
	case <-d.ctx.Done():
		return time.Time{}, d.ctx.Err()
	case <-time.After(rand.N(stepSleep)):
	}
	when := time.Now()
	return when, d.kill()
}

// trainingLog is what a stack's log shows of its one training.
type trainingLog struct {
	done    int         // steps, as of the last line
	again   []int       // steps done again, by resumption
	resumed []time.Time // when each was begun
}

func readLog(path string) (trainingLog, error) {
	var l trainingLog
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		if strings.Contains(text, `msg="training resumes from a checkpoint"`) {
			stamp, _, _ := strings.Cut(strings.TrimPrefix(text, "time="), " ")
			when, err := time.Parse(time.RFC3339Nano, stamp)
			if err != nil {
				return l, err
			}
			l.resumed = append(l.resumed, when)
		}
		_, printed, ok := strings.Cut(text, " line=")
		if !ok || !strings.Contains(text, `msg="program output"`) {
			continue
		}
		var p struct {
			Step    *int `json:"step"`
			Resumed *int `json:"resumed_from_step"`
		}
		// A line that is being written when it is read, or when the stack is killed, is cut off.
		if unquoted, err := strconv.Unquote(printed); err != nil || json.Unmarshal([]byte(unquoted), &p) != nil {
			continue
		}
		if p.Step != nil {
			l.done = *p.Step
		}
		if p.Resumed != nil {
			l.again = append(l.again, l.done-*p.Resumed)
			l.done = *p.Resumed
		}
	}
	return l, lines.Err()
}
