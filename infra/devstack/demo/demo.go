// Package demo plays one model's whole life for a newcomer: it runs the starter's own commands against a running stack,
// decides in the place of reviewers, whom it names as demonstration, and sends generated applications to the gateway.
package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/assay-ml/assay/infra/devstack/stack"
	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/starter/cli"
	"github.com/assay-ml/assay/workflows"
)

// Config says what is played and where to write.
type Config struct {
	Spec     string
	Out, Err io.Writer
	Begun    time.Time // for the wall time at the end
	LogFile  string
	Stack    stack.Addresses
}

// Play runs the demonstration; it fails when the lifecycle does not end as it should.
func Play(ctx context.Context, cfg Config) error {
	p := &player{Config: cfg}
	p.connect()
	p.say("The local stack is up after %.1f s; its log is %s.", time.Since(cfg.Begun).Seconds(), cfg.LogFile)
	cfg.Stack.Print(cfg.Out)
	for _, act := range []func(context.Context) error{p.live, p.tell, p.watch, p.verify} {
		if err := act(ctx); err != nil {
			return fmt.Errorf("%w; the stack's log is %s", err, cfg.LogFile)
		}
	}
	p.say("The whole demonstration took %.1f s. Keep a stack with `make run`, then: starter run %s --watch", time.Since(cfg.Begun).Seconds(), cfg.Spec)
	return nil
}

type player struct {
	Config
	id     string // of the lifecycle
	model  string
	status workflows.Status
}

// connect points the starter's commands at this stack, the way a user would by the environment. What the user has set for
// another server, such as a namespace or a certificate, is left out.
func (p *player) connect() {
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "TEMPORAL_") {
			os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{
		"TEMPORAL_ADDRESS": p.Stack.Temporal, "TEMPORAL_CONFIG_FILE": os.DevNull, "ASSAY_STORE": filepath.Join(p.Stack.State, "store"),
		"ASSAY_KEYS": filepath.Join(p.Stack.State, "keys"), "ASSAY_GATEWAY": p.Stack.Gateway,
	} {
		os.Setenv(name, value)
	}
}

func (p *player) say(format string, args ...any) { fmt.Fprintf(p.Out, "\n"+format+"\n", args...) }

// starter runs a command as a user would, showing it first.
func (p *player) starter(ctx context.Context, args ...string) error {
	fmt.Fprintf(p.Out, "$ starter %s\n", quoted(args))
	if status := cli.Main(ctx, args, p.Out, p.Err); status != 0 {
		return fmt.Errorf("`starter %s` ended with status %d", quoted(args), status)
	}
	return nil
}

// ask runs a command for its JSON, quietly.
func (p *player) ask(ctx context.Context, into any, args ...string) error {
	var out, errs bytes.Buffer
	if status := cli.Main(ctx, append(args, "-o", "json"), &out, &errs); status != 0 {
		return errors.New(strings.TrimSpace(errs.String()))
	}
	return json.Unmarshal(out.Bytes(), into)
}

// live runs the lifecycle while demonstration reviewers and generated traffic do their part.
func (p *player) live(ctx context.Context) error {
	p.say("A lifecycle from data to a served model. People decide in the middle; here, demonstration reviewers do.")
	var started struct{ Lifecycle string }
	if err := p.ask(ctx, &started, "run", p.Spec, "--requester", "demo-requester", "--reason", "demonstration"); err != nil {
		return err
	}
	p.id = started.Lifecycle
	fmt.Fprintf(p.Out, "$ starter run %s --watch\nstarted %s\n", p.Spec, p.id)
	helping, stop := context.WithCancel(ctx)
	helped := make(chan error, 1)
	go func() {
		defer stop() // without help the lifecycle would wait for people in vain
		helped <- p.help(helping)
	}()
	status := cli.Main(helping, []string{"watch", p.id}, p.Out, p.Err)
	stop()
	if err := <-helped; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if err := p.ask(ctx, &p.status, "status", p.id); err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("the lifecycle ended with status %d instead of being deployed", status)
	}
	if err := pause(ctx, swapTime); err != nil {
		return err
	}
	p.model = p.status.Model
	return nil
}

// help decides when asked to and sends traffic while the candidate is in its canary.
func (p *player) help(ctx context.Context) error {
	var traffic *traffic
	decided := false
	for every := time.NewTicker(400 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			every.Stop()
			return ctx.Err()
		case <-every.C:
		}
		var s workflows.Status
		if err := p.ask(ctx, &s, "status", p.id); err != nil {
			continue // the run is being admitted, or ends
		}
		switch {
		case s.Stage == stage.Review && !decided && s.Review != nil && s.Review.Outcome == review.Open:
			decided = true
			if err := p.decide(ctx, s); err != nil {
				return err
			}
		case s.Stage == stage.Rollout:
			if traffic == nil {
				traffic = newTraffic(p.Stack.Gateway, s.Model, canarySeed)
			}
			traffic.send(ctx, 25) // before the first traffic split there is nobody to answer: that is no error here
		}
	}
}

// decide sends one approval for every seat, as a signal.
func (p *player) decide(ctx context.Context, s workflows.Status) error {
	page := filepath.Join(p.Stack.State, "demo-dossier.html")
	if err := p.starter(ctx, "dossier", p.id, "-f", page); err != nil {
		return err
	}
	number := 0
	for _, seat := range s.Review.Missing {
		for range seat.Approvals {
			number++
			err := p.starter(ctx, "approve", p.id, "--signal", "--as", fmt.Sprintf("demo-reviewer-%d", number), "--role", seat.Role,
				"--dossier", s.Review.Dossier.String(), "--reason", "demonstration: nobody read the dossier")
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// quoted is the arguments as one would type them.
func quoted(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if strings.ContainsAny(a, " \"'$") {
			words[i] = fmt.Sprintf("%q", a)
		}
	}
	return strings.Join(words, " ")
}
