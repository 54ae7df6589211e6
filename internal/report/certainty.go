package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// levelled is the interval with its level: "95 % interval 0.898 to 0.912".
func levelled(f form, e stats.Estimate) string {
	return fmt.Sprintf("%s interval %s", level(e.Level), f.interval(e))
}

func level(l float64) string { return general(math.Round(l*1e4)/100) + nbsp + "%" }

// certainty says how sure a condition's value is, and on how many cases it rests. tail is the probability beyond each end.
func certainty(f form, e stats.Estimate, tail float64, more int) string {
	if e.Method == stats.MethodExact {
		if e.N == 0 {
			return "counted"
		}
		return "counted on " + countOf(e.N, "row", "rows")
	}
	cases := countOf(e.N, "case", "cases")
	const manyNines = 5e-6 // above, a level in percent says more
	if tail > 0 && tail < manyNines {
		return fmt.Sprintf("interval %s, with the truth beyond each end with a probability of at most %s; %s", f.intervalPrecisely(e, more), chance(tail), cases)
	}
	return fmt.Sprintf("%s%s%% interval %s, %s", general(math.Round(e.Level*1e6)/1e4), nbsp, f.intervalPrecisely(e, more), cases)
}

// chance writes a probability as people grasp it: 2.5 %, 0.016 %, 1 in 4.3 million.
func chance(p float64) string {
	switch {
	case math.IsNaN(p) || p < 0 || p > 1:
		return notAvailable
	case p == 0:
		return "0" + nbsp + "%"
	case p >= 0.1:
		return significant(100*p, 3) + nbsp + "%"
	case p >= 1e-4:
		return significant(100*p, 2) + nbsp + "%"
	case p < 1e-300:
		return "less than 1" + nbsp + "in" + nbsp + "10" + superscripts.Replace("300")
	}
	in := 1 / p
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, "trillion"}, {1e9, "billion"}, {1e6, "million"}} {
		if in >= unit.size && in < 1000*unit.size {
			return "1" + nbsp + "in" + nbsp + significant(in/unit.size, 3) + nbsp + unit.name
		}
	}
	if in >= 1e6 {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(in, 'e', 1, 64), "e+")
		return "1" + nbsp + "in" + nbsp + mantissa + nbsp + "×" + nbsp + "10" + superscripts.Replace(exponent)
	}
	return "1" + nbsp + "in" + nbsp + count(int64(math.Round(in/100)*100))
}

var superscripts = strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")

// aboutRows is a number of rows as a person says it: two digits that count, rounded up.
func aboutRows(n int) string {
	step := 1
	for n/step >= 100 {
		step *= 10
	}
	return countOf((n+step-1)/step*step, "row", "rows")
}

// intervalMethods name how intervals are made.
var intervalMethods = map[string]string{
	stats.MethodWilson:              "score interval of a share (Wilson, 1927)",
	stats.MethodClopperPearson:      "exact interval of a share (Clopper and Pearson, 1934)",
	stats.MethodDeLong:              "interval of an AUC (DeLong and others, 1988)",
	stats.MethodDeLongLogit:         "interval of an AUC (DeLong and others, 1988), on the scale of the log odds",
	stats.MethodWilsonMinClass:      "score interval of a share, by the smaller class",
	stats.MethodWilsonJaccard:       "score interval of a share (Wilson, 1927), turned into one of F1",
	stats.MethodNewcombe:            "interval of a difference from those of both sides (Newcombe, 1998)",
	stats.MethodStudent:             "interval of a mean (Student’s t)",
	stats.MethodBootstrap:           "interval from resamples of the rows (bootstrap, Efron, 1979)",
	stats.MethodExact:               "counted",
	stats.MethodBennettDisagreement: "interval of a difference on the same rows (Bennett’s inequality)",
	stats.MethodNewcombePaired:      "interval of a difference on the same rows (Newcombe, 1998)",
	stats.MethodExactDifference:     "interval of a difference from two exact ones",
	stats.MethodDeLongPaired:        "interval of the difference of two AUCs on the same rows (DeLong and others, 1988)",
	stats.MethodBennettPairs:        "interval of the difference of two AUCs on the same rows (Bennett’s inequality)",
	stats.MethodEmpiricalBernstein:  "interval of a mean in a known range (Maurer and Pontil, 2009)",
	stats.MethodHoeffding:           "interval of a mean in a known range (Hoeffding, 1963)",
	stats.MethodOrderStatistics:     "interval of a percentile from the sorted values, whatever their distribution",
	stats.MethodBCa:                 "interval from resamples of the rows, corrected for their skew (BCa bootstrap, Efron, 1987)",
	stats.MethodBootstrapNormal:     "normal interval with the spread of resamples of the rows (bootstrap)",
	evaluation.MethodExactJaccard:   "exact interval of a share (Clopper and Pearson, 1934), turned into one of F1",
	fairness.MethodPairs:            "interval of the gap between the groups at the ends, from all pairs of groups together",
	gate.MethodArithmetic:           "ends of several intervals added up",
	explain.IntervalMethod:          "interval of a mean over shuffles (Student’s t)",
}

func intervalWords(method string) string {
	return or(intervalMethods[method], strings.ReplaceAll(method, "_", " "))
}

// basis says how the intervals of a clause were made and what they rest on; empty when everything was counted.
func basis(units []gate.UnitResult) string {
	var sentences []string
	guaranteed := true
	for _, u := range units {
		m := u.Measurement
		if !m.Defined() || m.Method == stats.MethodExact {
			continue
		}
		text := opening(intervalWords(m.Method)) + "."
		if len(units) > 1 {
			text = opening(unitWords(u.Unit)) + ": " + intervalWords(m.Method) + "."
		}
		if !m.Guaranteed {
			guaranteed = false
			if m.Assumption != "" {
				text += " It takes for granted: " + m.Assumption
			}
		}
		sentences = append(sentences, text)
	}
	if len(sentences) == 0 {
		return ""
	}
	if guaranteed {
		sentences = append(sentences, "The error probability holds for every number of cases.")
	}
	return strings.Join(sentences, " ")
}

// unitWords is what an interval was made for.
func unitWords(u gate.Unit) string {
	e := gate.Expr{{Coefficient: 1, Quantity: u.Quantity}}
	if u.Minus != nil {
		e = append(e, gate.Term{Coefficient: -1, Quantity: *u.Minus})
	}
	return expression(e)
}

// splitFacts say how the probability of a wrong verdict is divided; none without a reliability.
func splitFacts(s gate.Split) []fact {
	if !(s.Reliability > 0 && s.Reliability < 1) {
		return nil
	}
	facts := []fact{
		{Term: "Reliability", Detail: fmt.Sprintf("%s: with at least this probability no verdict says met where the truth is not, or not met where the truth is. The rest, %s, is left to chance.",
			asPercent.exactly(s.Reliability), chance(s.Delta))},
		{Term: "Decisions it is for", Detail: decisionsCovered(s.Plan)},
	}
	parts := fmt.Sprintf("%s in all", chance(s.Delta))
	if s.Steps > 1 {
		parts += fmt.Sprintf("; %s for each decision", chance(s.PerStep))
	}
	switch {
	case s.Clauses == 0:
		parts += "; no condition needs any of it, since everything was counted"
	case s.Clauses > 1:
		parts += fmt.Sprintf("; %s for each of the %s that leave something to chance", chance(s.PerClause), countOf(s.Clauses, "condition", "conditions"))
	}
	if s.Clauses > 0 && s.PerUnit < s.PerClause {
		parts += fmt.Sprintf("; at least %s for each interval of one that measures several things", chance(s.PerUnit))
	}
	return append(facts, fact{Term: "How it is divided", Detail: opening(parts) + "."})
}

func decisionsCovered(p gate.Plan) string {
	if p.Steps <= 1 {
		return "This one alone. If other candidates are decided on the same test data, the reliability does not hold for all of them together."
	}
	text := fmt.Sprintf("%s on the same test data. ", countOf(p.Steps, "decision", "decisions"))
	switch p.Adaptivity {
	case gate.AdaptivityFull:
		return text + fmt.Sprintf("Whoever asks for candidates sees every verdict, and could let each one shape the next candidate. The division allows for that: for every sequence of answers, of which there are %d each time.", max(p.Answers, 2))
	case gate.AdaptivityFirstChange:
		return text + "Whoever asks for candidates sees every verdict, but the test data ends with the first candidate that passes."
	}
	return text + "Whoever asks for candidates learns nothing of the verdicts."
}
