package spec

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"
)

// checkTraining compares what trains the model with what it is trained on and what answers for it.
func (d *decoder) checkTraining(s *Spec) {
	t := s.Train
	if t.GPUs > 0 && t.Queue != "gpu" {
		d.complain("train.gpus", "found gpus without queue: gpu", "write queue: gpu, or leave gpus out")
	}
	switch t.Trainer {
	case TrainerLogistic:
		if t.Command != nil {
			d.complain("train.command", "found a command with trainer: logistic", "write trainer: command, or leave command out")
		}
		if s.Serve != nil {
			d.complain("serve", "found a server with trainer: logistic", "leave serve out: Assay answers for the models of its own trainers; or write trainer: command")
		}
		d.checkLogistic(t.Parameters)
	case TrainerCommand:
		if t.Command == nil {
			d.complain("train.command", "found trainer: command without a command", "add train.command with code, the folder of the program, and run, how it is started")
		}
		if s.Serve == nil {
			d.complain("serve", "found trainer: command without a server", "add serve.run: only a program of yours can read what the command trained, and evaluation, audits and the gateway ask it for scores")
		}
	}
	if t.Command != nil {
		d.checkCommand(t.Command.withDefaults())
	}
	if s.Serve != nil {
		d.checkRun(s.Serve.Run, "serve.run")
	}
	if t.Sweep != nil {
		d.checkSweep(s)
	}
}

func (d *decoder) checkRun(run []string, path string) {
	if len(run) > 0 && strings.TrimSpace(run[0]) == "" {
		d.complain(index(path, 0), "found no program", "expected its name or path, such as python3")
	}
}

// mostGrace is what a worker that must stop itself can still grant.
const mostGrace = Duration(5 * time.Minute)

// checkCommand needs the command with its defaults: a time may contradict one of them.
func (d *decoder) checkCommand(c Command) {
	const path = "train.command"
	if strings.Contains(c.Code, "://") {
		d.complain(path+".code", d.nodes[path+".code"].describe(), "expected the path of a folder on this machine; fetch the code first")
	}
	d.checkRun(c.Run, path+".run")
	d.checkMetricDefinitions(c.Metrics, path+".metric_definitions")
	if c.TimeLimit < Duration(time.Second) {
		d.complain(path+".time_limit", "found a time limit of "+c.TimeLimit.String(), "expected at least 1s: no program starts in less")
	}
	if c.Silence >= c.TimeLimit {
		d.complain(path+".silence", "found a silence of "+c.Silence.String()+" with a time limit of "+c.TimeLimit.String(), "expected less than time_limit, which would end the program first")
	}
	if c.Grace > mostGrace {
		d.complain(path+".grace", "found a grace of "+c.Grace.String(), "expected at most "+mostGrace.String()+"; let the program write checkpoints as it goes")
	}
}

func (d *decoder) checkMetricDefinitions(definitions []MetricDefinition, path string) {
	first := map[string]int{}
	for i, m := range definitions {
		at := index(path, i)
		if j, twice := first[m.Name]; twice && m.Name != "" {
			d.complain(at+".name", fmt.Sprintf("found the metric %q a second time (first in element %d)", clip(m.Name), j), "expected one definition a metric")
		} else {
			first[m.Name] = i
		}
		if m.Regex == "" {
			continue // a problem already
		}
		re, err := regexp.Compile(m.Regex)
		switch {
		case err != nil:
			d.complain(at+".regex", d.nodes[at+".regex"].describe(), d.nodes[at+".regex"].notRegular(err))
		case re.NumSubexp() == 0:
			d.complain(at+".regex", d.nodes[at+".regex"].describe()+", which has no group", `expected the number in brackets, as in loss=([0-9.]+)`)
		}
	}
}

// notRegular says what is wrong with a regular expression, quoting no part of it that a variable brought.
func (n *node) notRegular(err error) string {
	message := "expected a regular expression (RE2, as Go has it)"
	var known *syntax.Error
	if errors.As(err, &known) {
		message += ": " + known.Code.String()
		if n.written == "" {
			message += fmt.Sprintf(" at %q", clip(known.Expr))
		}
	}
	return message
}
