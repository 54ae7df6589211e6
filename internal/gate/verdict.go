// Package gate answers conditions on metrics with a verdict whose error rate is known.
package gate

// Verdict is a gate's answer. The zero value is not a verdict.
type Verdict string

const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Inconclusive Verdict = "inconclusive" // the sample cannot tell
)

// And is the verdict of two conditions together: one failure fails, otherwise one doubt leaves doubt.
func (v Verdict) And(w Verdict) Verdict {
	switch {
	case v == Fail || w == Fail:
		return Fail
	case v == Inconclusive || w == Inconclusive:
		return Inconclusive
	default:
		return Pass
	}
}

// Policy is what a verdict counts as that the sample cannot decide.
type Policy string

const (
	CountAsPass Policy = "pass"   // fn-free in ease.ml/ci: no candidate is refused that meets the conditions
	CountAsFail Policy = "fail"   // fp-free in ease.ml/ci: no candidate passes that does not meet the conditions
	AskPeople   Policy = "review" // the doubt is put to the reviewers as a question
)

// Answers is how many different answers the policy lets a requester see, for Plan.Answers.
func (p Policy) Answers() int {
	if p == CountAsPass || p == CountAsFail {
		return 2
	}
	return 3
}

// Settle is the verdict that counts under a policy, and a sentence that says why when the sample left doubt. The empty policy is
// AskPeople.
func Settle(v Verdict, p Policy) (settled Verdict, sentence string) {
	if v != Inconclusive {
		return v, ""
	}
	switch p {
	case CountAsPass:
		return Pass, "The sample cannot decide it, and gates.inconclusive lets it pass (fn-free: no candidate that meets the conditions is refused)."
	case CountAsFail:
		return Fail, "The sample cannot decide it, and gates.inconclusive lets it fail (fp-free: no candidate that does not meet the conditions passes)."
	default:
		return Inconclusive, "The sample cannot decide it, and gates.inconclusive puts the question to the reviewers."
	}
}

// Settle marks what every inconclusive result, and the decision, count as under the policy, as the function Settle does. An
// unknown policy is AskPeople, which lets nothing pass by itself.
func (d *Decision) Settle(p Policy) {
	if p != CountAsPass && p != CountAsFail {
		p = AskPeople
	}
	d.Policy = p
	d.Settled, d.Sentence = Settle(d.Verdict, p)
	for i, r := range d.Results {
		if r.Verdict == Inconclusive {
			d.Results[i].Settled, _ = Settle(r.Verdict, p)
		}
	}
}
