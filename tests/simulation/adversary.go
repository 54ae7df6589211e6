package simulation

import (
	"math"
	"math/rand/v2"

	"github.com/assay-ml/assay/internal/gate"
)

// Rule answers whether a candidate's accuracy is above a bound, from how many of the test rows it gets right.
type Rule func(right, rows int) gate.Verdict

// PointRule compares the estimate with the bound, as a gate without statistics does.
func PointRule(bound float64) Rule {
	return func(right, rows int) gate.Verdict {
		if float64(right)/float64(rows) > bound {
			return gate.Pass
		}
		return gate.Fail
	}
}

// NaiveRule decides each candidate by its own 95 % normal interval, as if the test set had never been used before.
func NaiveRule(bound float64) Rule {
	return func(right, rows int) gate.Verdict {
		p := float64(right) / float64(rows)
		half := 1.959964 * math.Sqrt(p*(1-p)/float64(rows))
		switch {
		case p-half > bound:
			return gate.Pass
		case p+half < bound:
			return gate.Fail
		}
		return gate.Inconclusive
	}
}

// GateRule is Assay's, for a plan. Adaptivity firstChange ends the set at the first answer that is not fail, see Adversary.
func GateRule(condition string, plan gate.Plan) (Rule, error) {
	f, err := gate.Parse(condition)
	if err != nil {
		return nil, err
	}
	// The same count gives the same answer.
	known := map[int]gate.Verdict{}
	return func(right, rows int) gate.Verdict {
		v, ok := known[right]
		if !ok {
			d, err := gate.DecideAll([]gate.Formula{f}, plan, gate.Counts{Rows: rows, NewRight: &right})
			if err != nil {
				panic(err) // the condition and the counts are our own
			}
			v = d.Verdict
			known[right] = v
		}
		return v
	}, nil
}

// Adversary tries so many candidates on one test set and sees every answer of the rule. Labels are coins, so that no candidate's
// true accuracy is above one half, and a pass of "n > 0.5" is wrong. It uses the answers: a guess that fails is worse than a coin
// on these rows, so that its opposite is better and is tried next; guesses that do not fail are kept, and every other candidate
// is their majority vote (the boosting attack of Blum and Hardt, 2015, "The Ladder", section 3). It gives the step, from 1, at which
// a candidate first passed, 0 when none did.
func Adversary(rule Rule, rows, steps int, r *rand.Rand) int {
	label, guess := coins(r, rows), make([]int8, rows)
	votes := make([]int, rows) // of kept guesses for 1, less those for 0
	kept, opposite := 0, false
	for step := range steps {
		voting := !opposite && kept > 1 && step%2 == 1
		switch {
		case opposite:
			for i := range guess {
				guess[i] = 1 - guess[i]
			}
		default:
			copy(guess, coins(r, rows))
		}
		if voting {
			for i, v := range votes {
				if v != 0 {
					guess[i] = int8(min(max(v, 0), 1))
				}
			}
		}
		right := 0
		for i := range guess {
			if guess[i] == label[i] {
				right++
			}
		}
		answer := rule(right, rows)
		if answer == gate.Pass {
			return step + 1
		}
		opposite = answer == gate.Fail && !opposite
		if answer == gate.Inconclusive && !voting {
			kept++
			for i, g := range guess {
				votes[i] += 2*int(g) - 1
			}
		}
	}
	return 0
}

func coins(r *rand.Rand, n int) []int8 {
	out := make([]int8, n)
	for i := range out {
		out[i] = int8(r.IntN(2))
	}
	return out
}

// Fooled counts the worlds in which the adversary has got a pass after 1, 2, ... steps.
func Fooled(rule Rule, rows, steps, worlds int, seed uint64) []Rate {
	r := rand.New(rand.NewPCG(seed, 1))
	fooled := make([]Rate, steps)
	for range worlds {
		first := Adversary(rule, rows, steps, r)
		for k := range fooled {
			fooled[k].Worlds++
			if first > 0 && first <= k+1 {
				fooled[k].Times++
			}
		}
	}
	return fooled
}
