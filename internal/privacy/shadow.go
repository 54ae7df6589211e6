package privacy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Predictor asks a model: for each of the rows, the probability in [0, 1] that the model gives to the row's true class.
type Predictor func(rows []int) ([]float64, error)

// Trainer trains a model like the target on the rows, in ascending order, and gives a way to ask it. It should stop when ctx
// ends. It must not depend on earlier calls, and is called by several goroutines at once.
type Trainer func(ctx context.Context, rows []int) (Predictor, error)

// ShadowOptions say how many shadow models are trained, on what, and how the attack is judged.
type ShadowOptions struct {
	AttackOptions
	Shadows  int                // models to train, even and at least 4; 0 means 16
	MaxRows  int                // most rows that are attacked and trained on, at least 4; 0 means 20,000
	Budget   time.Duration      // of wall time for all trainings; 0 means no limit but ctx
	Parallel int                // trainings at once; 0 means 2
	Clip     float64            // probabilities are kept so far from 0 and 1, in (0, 0.5); 0 means 1e-6
	Groups   []string           // the group of each row; nil: groups are not told apart
	Progress func(done, of int) // called after each training, never twice at once; may be nil
}

// ShadowRuns says what the shadow models of an attack were.
type ShadowRuns struct {
	Asked   int    `json:"asked"`
	Used    int    `json:"used"`
	Rows    int    `json:"rows"`          // attacked, of which each shadow is trained on half
	LeftOut int    `json:"rows_left_out"` // beyond MaxRows, drawn at random
	Spread  string `json:"spread"`        // "pooled" over rows, or "per_row"
	Seed    uint64 `json:"seed"`
	Note    string `json:"note,omitempty"` // why fewer were used than asked for
}

const fewestShadows = 4

// Shadow attacks a model by shadow models: models trained as it was on random halves of the rows, so that each row has models
// that saw it and models that did not. A row is called a member when the target's confidence in its true class looks more like
// that of the first: the online likelihood ratio attack (LiRA) of Carlini, Chien, Nasr, Song, Terzis and Tramer, 2022,
// "Membership inference attacks from first principles", section V. member says of each row whether the target was trained on
// it; others must come from the same source, and the attack is closest to the paper when they are as many as the members.
//
// Shadow models come in pairs, trained on a random half and on the other half, so that each row is in exactly half of the
// training sets. When ctx or the budget ends, the attack uses the pairs that are complete without a gap from the first, which
// gives the report that asking for so many would have given; fewer than four models are an error. The report depends on the
// seed, not on the order in which trainings end.
func Shadow(ctx context.Context, o ShadowOptions, member []bool, target Predictor, train Trainer) (AttackReport, error) {
	r, err := shadow(ctx, o, member, target, train)
	if err != nil {
		return AttackReport{}, fmt.Errorf("attack the model by shadow models: %w", err)
	}
	return r, nil
}

func shadow(ctx context.Context, o ShadowOptions, member []bool, target Predictor, train Trainer) (AttackReport, error) {
	o, err := o.checked(len(member))
	if err != nil {
		return AttackReport{}, err
	}
	if target == nil || train == nil {
		return AttackReport{}, errors.New("no target or no trainer; expected a way to ask the target and to train models like it")
	}
	rows := attackedRows(member, o.MaxRows, o.Seed)
	runs := &ShadowRuns{Asked: o.Shadows, Rows: len(rows), LeftOut: len(member) - len(rows), Spread: "pooled", Seed: o.Seed}
	if slices.Index(member, true) < 0 || slices.Index(member, false) < 0 {
		members, others := split(member, rows, make([]float64, len(rows)), nil)
		r, err := attack(AttackLiRA, members, others, members.Values, others.Values, o.AttackOptions)
		r.Shadows = runs
		return r, err
	}
	confidence, err := ask(target, rows)
	if err != nil {
		return AttackReport{}, fmt.Errorf("ask the target: %w", err)
	}
	done, err := o.run(ctx, rows, train)
	if err != nil {
		return AttackReport{}, err
	}
	runs.Used = len(done)
	if runs.Used < runs.Asked {
		runs.Note = fmt.Sprintf("time ended after %d of %d shadow models; fewer models make the attack weaker", runs.Used, runs.Asked)
	}
	sums := make([]twoSums, len(rows))
	for _, s := range done {
		for i, p := range s.confidence {
			sums[i].add(s.with[i], logOdds(p, o.Clip))
		}
	}
	perRow := runs.Used >= perExampleShadows
	if perRow {
		runs.Spread = "per_row"
	}
	phi, losses := make([]float64, len(rows)), make([]float64, len(rows))
	for i, p := range confidence {
		phi[i], losses[i] = logOdds(p, o.Clip), -math.Log(max(p, o.Clip))
	}
	members, others := split(member, rows, losses, o.Groups)
	memberScore, otherScore := split(member, rows, lira(sums, phi, perRow), nil)
	r, err := attack(AttackLiRA, members, others, memberScore.Values, otherScore.Values, o.AttackOptions)
	r.Shadows = runs
	return r, err
}

func (o ShadowOptions) checked(rows int) (ShadowOptions, error) {
	var err error
	if o.AttackOptions, err = o.AttackOptions.checked(); err != nil {
		return o, err
	}
	for _, d := range []struct {
		value   *int
		instead int
	}{{&o.Shadows, 16}, {&o.MaxRows, 20_000}, {&o.Parallel, 2}} {
		if *d.value == 0 {
			*d.value = d.instead
		}
	}
	if o.Clip == 0 {
		o.Clip = 1e-6
	}
	switch {
	case o.Shadows < fewestShadows || o.Shadows%2 != 0:
		return o, fmt.Errorf("%d shadow models; expected an even number of at least %d", o.Shadows, fewestShadows)
	case o.MaxRows < 4:
		return o, fmt.Errorf("at most %d rows; expected at least 4", o.MaxRows)
	case o.Parallel < 1:
		return o, fmt.Errorf("%d trainings at once; expected at least 1", o.Parallel)
	case o.Budget < 0:
		return o, fmt.Errorf("a budget of %s; expected a positive time, or 0 for no limit", o.Budget)
	case !(o.Clip > 0 && o.Clip < 0.5):
		return o, fmt.Errorf("the clip is %g; expected a number between 0 and 0.5, such as 1e-6", o.Clip)
	case o.Groups != nil && len(o.Groups) != rows:
		return o, fmt.Errorf("%d groups for %d rows; expected a group for every row, or none", len(o.Groups), rows)
	}
	return o, nil
}

// attackedRows draws rows in ascending order, at most as many as allowed: as many members as others as far as both last, since
// shadow models are trained on half of them, as the target was.
func attackedRows(member []bool, most int, seed uint64) []int {
	var kinds [2][]int
	for i, is := range member {
		if is {
			kinds[0] = append(kinds[0], i)
		} else {
			kinds[1] = append(kinds[1], i)
		}
	}
	if len(member) <= most {
		most = len(member)
	}
	keep := [2]int{0: min(len(kinds[0]), max((most+1)/2, most-len(kinds[1])))}
	keep[1] = min(len(kinds[1]), most-keep[0])
	random := rand.New(rand.NewPCG(seed, 0xd1b54a32d192ed03))
	var rows []int
	for k, kind := range kinds {
		for _, j := range random.Perm(len(kind))[:keep[k]] {
			rows = append(rows, kind[j])
		}
	}
	slices.Sort(rows)
	return rows
}

func split(member []bool, rows []int, values []float64, groups []string) (members, others Losses) {
	for k, i := range rows {
		l := &others
		if member[i] {
			l = &members
		}
		l.Values = append(l.Values, values[k])
		if groups != nil {
			l.Groups = append(l.Groups, groups[i])
		}
	}
	return members, others
}

// shadowModel is what the attack keeps of one: by attacked row, whether it was trained on (1) or not (0), and its confidence.
type shadowModel struct {
	with       []int
	confidence []float64
}

// run trains the shadow models and gives those of the complete pairs before the first incomplete one.
func (o ShadowOptions) run(ctx context.Context, rows []int, train Trainer) ([]shadowModel, error) {
	if o.Budget > 0 {
		limited, cancel := context.WithTimeout(ctx, o.Budget)
		defer cancel()
		ctx = limited
	}
	models := make([]shadowModel, o.Shadows)
	var progress sync.Mutex
	done := 0
	work, stop := errgroup.WithContext(ctx)
	work.SetLimit(o.Parallel)
	for k := range models {
		work.Go(func() error {
			if stop.Err() != nil {
				return nil
			}
			m, err := one(stop, k, rows, o.Seed, train)
			// A training that time cut short is no failure, whatever it says.
			if err != nil && stop.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("shadow model %d of %d: %w", k+1, o.Shadows, err)
			}
			progress.Lock()
			defer progress.Unlock()
			models[k] = m
			if done++; o.Progress != nil {
				o.Progress(done, o.Shadows)
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	used := 0
	for used < len(models) && models[used].confidence != nil && models[used+1].confidence != nil {
		used += 2
	}
	if used < fewestShadows {
		return nil, fmt.Errorf("only %d of %d shadow models were trained in pairs before time ended (%w); expected at least %d: give it "+
			"more time, or fewer rows", used, o.Shadows, context.Cause(ctx), fewestShadows)
	}
	return models[:used], nil
}

// one trains the k-th shadow model; both models of a pair draw the same half, and the second takes the rest.
func one(ctx context.Context, k int, rows []int, seed uint64, train Trainer) (m shadowModel, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the trainer panicked: %v", cause)
		}
	}()
	// A stream that nobody else is likely to use: were a half the very split that made the members, scores would tell them apart
	// whatever the target learnt.
	order := rand.New(rand.NewPCG(seed^0xa0761d6478bd642f, 0xe7037ed1a0b428db+uint64(k/2))).Perm(len(rows))
	half := order[:len(rows)/2]
	if k%2 == 1 {
		half = order[len(rows)/2:]
	}
	m.with = make([]int, len(rows))
	for _, j := range half {
		m.with[j] = 1
	}
	var training []int
	for j, i := range rows {
		if m.with[j] == 1 {
			training = append(training, i)
		}
	}
	predict, err := train(ctx, training)
	if err != nil {
		return m, fmt.Errorf("train: %w", err)
	}
	if predict == nil {
		return m, errors.New("the trainer gave no model; expected one, or an error")
	}
	if m.confidence, err = ask(predict, rows); err != nil {
		return m, fmt.Errorf("ask: %w", err)
	}
	return m, nil
}

func ask(predict Predictor, rows []int) ([]float64, error) {
	confidence, err := predict(slices.Clone(rows))
	if err != nil {
		return nil, err
	}
	if len(confidence) != len(rows) {
		return nil, fmt.Errorf("%d confidences for %d rows; expected one for each", len(confidence), len(rows))
	}
	for j, p := range confidence {
		if !(p >= 0 && p <= 1) {
			return nil, fmt.Errorf("row %d has the confidence %g; expected the probability of its true class, from 0 to 1", rows[j], p)
		}
	}
	return confidence, nil
}
