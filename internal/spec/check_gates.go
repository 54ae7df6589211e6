package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/gate"
)

// checkGates compares what the gates ask with what a sample can answer.
func (d *decoder) checkGates(s *Spec) {
	if s.Gates.Reliability >= 1 {
		d.complain("gates.reliability", fmt.Sprintf("found a reliability of %.15g", s.Gates.Reliability), "expected less than 1, such as 0.99: no sample makes a verdict certain")
	}
	if slices.Contains([]string{"requests", "answers"}, s.Model) {
		d.complain("model", fmt.Sprintf("found the name %q", s.Model), "choose another: the store keeps labels of test rows under this name")
	}
	if set := s.Gates.TestSet; set != nil && len(set.ShowTo) > 0 {
		for _, seat := range s.Review.Quorum {
			if !slices.ContainsFunc(set.ShowTo, func(role string) bool { return strings.EqualFold(role, seat.Role) }) {
				d.complain("gates.test_set.show_to", fmt.Sprintf("found roles without %q, which decides", seat.Role), "add it: who decides must see what was measured")
			}
		}
	}
	d.checkOwnMetrics(s.Evaluate.Metrics)
	if g := s.Gates; g.TestSet != nil && g.Failing == FailingReviewed && g.Inconclusive == "fail" {
		d.complain("gates.failing", "found review beside inconclusive: fail and a test set",
			"the requester of a candidate on a test set learns two answers at most, so a doubt that counts as a failure cannot be told from one; take inconclusive: review, or failing: refuse")
	}
	d.checkPlan(s)
}

// checkPlan refuses a division of the error probability of which nothing is left for one interval.
func (d *decoder) checkPlan(s *Spec) {
	set := s.Gates.TestSet
	if set == nil || d.known("gates") {
		return
	}
	formulas, err := s.Formulas()
	if err != nil {
		return // a problem of its own
	}
	plan := gate.Plan{Reliability: s.Gates.StatedReliability(), Steps: set.Steps, Adaptivity: gate.Adaptivity(set.Adaptivity), Answers: gate.Policy(s.Gates.Inconclusive).Answers()}
	if _, err := plan.Split(formulas); err != nil {
		_, message, _ := strings.Cut(err.Error(), ": ")
		d.complain("gates.test_set.steps", fmt.Sprintf("found %d steps", set.Steps), message)
	}
}

func (d *decoder) checkOwnMetrics(metrics []OwnMetric) {
	seen := map[string]int{}
	for i, m := range metrics {
		path := index("evaluate.metrics", i)
		if first, twice := seen[m.Name]; twice && m.Name != "" {
			d.complain(path+".name", fmt.Sprintf("found the metric %q a second time (first in element %d)", m.Name, first), "choose another name")
		} else if err := (gate.Own{Name: m.Name}).Check(); err != nil && m.Name != "" && !d.known(path+".name") {
			_, message, _ := strings.Cut(err.Error(), `": `)
			d.complain(path+".name", fmt.Sprintf("found %q", m.Name), message)
		}
		seen[m.Name] = i
		if strings.Contains(m.Code, "://") {
			d.complain(path+".code", d.nodes[path+".code"].describe(), "expected the path of a folder on this machine; fetch the code first")
		}
		d.checkRun(m.Run, path+".run")
		if m.Least != nil && m.Most != nil && *m.Least >= *m.Most {
			d.complain(path+".least", fmt.Sprintf("found least %.15g and most %.15g", *m.Least, *m.Most), "expected least below most")
		}
	}
}
