package report

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
)

// applications are generated loan applications with the scores of a model that is somewhat harder on women and on the old, and
// of another one that serves already.
func applications(n int) evaluation.Predictions {
	random := rand.New(rand.NewPCG(7, 11))
	p := evaluation.Predictions{Task: stats.Binary, Threshold: 0.5, Groups: map[string][]string{}}
	for i := range n {
		sex := []string{"female", "male", "unknown"}[pick(random.Float64(), 0.47, 0.998)]
		age := []string{"18-24", "25-39", "40-64", "65+"}[pick(random.Float64(), 0.11, 0.49, 0.9)]
		merit := random.NormFloat64()*1.7 + 0.2
		truth := 0.0
		if random.Float64() < 1/(1+math.Exp(-2.2*merit)) && sex != "unknown" {
			truth = 1
		}
		score := 1.9*merit + 0.35*random.NormFloat64()
		if sex == "female" {
			score -= 0.35
		}
		if age == "65+" {
			score -= 0.5
		}
		p.Row, p.Y = append(p.Row, int64(i+1)), append(p.Y, truth)
		p.Score = append(p.Score, 1/(1+math.Exp(-score)))
		p.Old = append(p.Old, 1/(1+math.Exp(-1.2*merit-0.9*random.NormFloat64())))
		p.Groups["sex"], p.Groups["age_band"] = append(p.Groups["sex"], sex), append(p.Groups["age_band"], age)
	}
	return p
}

// pick is the number of bounds at or below u.
func pick(u float64, bounds ...float64) int {
	k := 0
	for _, b := range bounds {
		if u >= b {
			k++
		}
	}
	return k
}

// loanPredictions are what the loan model answered where no version serves; rivalPredictions where one does.
var (
	rivalPredictions = sync.OnceValue(func() evaluation.Predictions { return applications(4000) })
	loanPredictions  = sync.OnceValue(func() evaluation.Predictions {
		p := rivalPredictions()
		p.Old = nil
		return p
	})
)

// cached makes a dossier once and hands out copies.
func cached(fresh func(t *testing.T) Dossier) func(t *testing.T) Dossier {
	var once sync.Once
	var encoded []byte
	return func(t *testing.T) Dossier {
		t.Helper()
		once.Do(func() {
			var err error
			encoded, _, err = Encode(fresh(t))
			require.NoError(t, err)
		})
		d, err := Decode(encoded)
		require.NoError(t, err)
		return d
	}
}

var (
	loan  = cached(freshLoan)
	rival = cached(freshRival)
)

// freshLoan is a dossier as a real lifecycle makes one: measured by the packages that measure, on generated applications.
func freshLoan(t *testing.T) Dossier {
	t.Helper()
	p := loanPredictions()
	d := measuredOn(t, p, "sex", "age_band")
	d.Model, d.Lifecycle, d.Owner, d.Requester = "loan-approval", "lifecycle/loan-approval/2026-06-25-k3", "consumer-credit", "Mara Lindqvist"
	d.Failing = spec.FailingReviewed
	d.Purpose = "Suggest to a loan officer whether an application should be approved. A person decides every case; not for setting interest rates."
	d.Target = spec.Target{Column: "approved", Positive: "yes"}
	var sample stats.Sample
	outcomes := make([]string, p.N())
	for i, y := range p.Y {
		sample.Y, sample.Score = append(sample.Y, y == 1), append(sample.Score, p.Score[i])
		outcomes[i] = []string{"no", "yes"}[int(y)]
	}
	sex, ages := p.Groups["sex"], p.Groups["age_band"]
	examined, err := fairness.Examine(sample, fairness.Question{Columns: []fairness.Column{{Name: "sex", Groups: sex}, {Name: "age_band", Groups: ages}}, Threshold: 0.5})
	d.Fairness.Examination = &examined
	require.NoError(t, err)
	inequality, err := fairness.Inequality(sample, sex, fairness.InequalityQuestion{Threshold: 0.5, Replicates: 200})
	require.NoError(t, err)
	d.Fairness.Inequality = []Inequality{{Column: "sex", InequalityReport: inequality}}
	d.Fairness.Consistency = &fairness.ConsistencyReport{Sampled: 2000, Neighbours: 5, Consistency: stats.Estimate{Value: 0.93, Low: 0.92, High: 0.94, Level: 0.95, Method: fairness.MethodJackknifeLogit, N: 2000}}
	d.Privacy, err = privacy.KAnonymity([]privacy.Column{{Name: "sex", Values: sex}, {Name: "age_band", Values: ages}}, outcomes)
	require.NoError(t, err)
	auc, _ := d.Evaluation.Overall.Metric(stats.AreaUnderROC)
	d.Explain = importances()
	d.Explain.BaseAUC = auc
	d.Training = manifest()
	d.Warnings = []string{"The device was simulated; training ran on the processor."}
	addTable(&d)
	decide(t, &d, p, "auc > 0.85", "accuracy >= 0.75 +/- 0.02", "recall[sex=female] > 0.9 +/- 0.01", "demographic_parity_difference[age_band] < 0.1",
		"equal_opportunity_difference[age_band] < 0.2", "log_loss < 0.6", "k_anonymity >= 1", "recall[sex=unknown] > 0.5")
	return d
}

// peopleBy is what the rows say of the groups of a column, of which the income is missing in every tenth row of the first group.
func peopleBy(t *testing.T, column string, groups []string, y []bool, labels []string) People {
	t.Helper()
	p := People{Column: column}
	distribution, err := fairness.LabelDistribution(labels, groups, 0)
	require.NoError(t, err)
	bias, err := fairness.LabelBias(y, groups, "", nil)
	require.NoError(t, err)
	holes := make([]bool, len(groups))
	declared := map[string]float64{"nobody": 0.1}
	for i, g := range groups {
		holes[i] = g == distribution.Groups[0].Group && i%10 == 0
	}
	for _, g := range distribution.Groups {
		declared[g.Group] = 0.9 / float64(len(distribution.Groups))
	}
	missing, err := fairness.Missingness([]fairness.MissingColumn{{Name: "income", Missing: holes}, {Name: "savings", Missing: make([]bool, len(groups))}}, groups, 0)
	require.NoError(t, err)
	population, err := fairness.Representation(groups, declared, 0)
	require.NoError(t, err)
	p.Labels, p.Bias, p.Missing, p.Population = &distribution, &bias, &missing, &population
	return p
}

// freshRival is the loan dossier where version 3 serves, and the test set is a budget of which this is the fifth decision.
func freshRival(t *testing.T) Dossier {
	t.Helper()
	d, p := freshLoan(t), rivalPredictions()
	e, err := evaluation.Evaluate(p, evaluation.Options{Seed: 7, Replicates: stats.MinReplicates})
	require.NoError(t, err)
	d.Champion, d.Comparison, d.Drift = &Champion{Version: 3}, e.Comparison, drifted(t)
	d.Rollout = spec.Rollout{
		Target: "gateway", Canary: []spec.CanaryStep{{Traffic: 5, Hold: spec.Duration(time.Hour)}, {Traffic: 50, Hold: spec.Duration(24 * time.Hour)}},
		Abort: []spec.Abort{{Condition: "error_rate < 0.01"}},
	}
	d.TestSet = &TestSetUse{Adaptivity: string(gate.AdaptivityFull), Step: 5, Of: 32, ShowTo: []string{"ethics", "risk"}}
	plan := gate.Plan{Reliability: 0.99, Steps: 32, Adaptivity: gate.AdaptivityFull}
	decideBy(t, &d, p, plan, gate.AskPeople, `n - 1.1*o > -0.2 +/- 0.02 /\ d < 0.3 +/- 0.01`, "n - o > 0.05 +/- 0.02", "new.auc - old.auc > -0.2 +/- 0.05",
		"recall[sex=female*age_band=65+] - recall[sex=male*age_band=65+] > -0.5 +/- 0.1", "k_anonymity >= 1")
	return d
}

// measuredOn is a dossier of predictions, evaluated overall, by the columns and by pairs of them, with the small talk of all.
func measuredOn(t *testing.T, p evaluation.Predictions, columns ...string) Dossier {
	t.Helper()
	e, err := evaluation.Evaluate(p, evaluation.Options{Seed: 7, Replicates: stats.MinReplicates, Slices: columns, Crossed: columns})
	require.NoError(t, err)
	return Dossier{
		Format: Format, Protected: columns, Evaluation: e,
		Trigger: stage.Trigger{Kind: "manual", Reason: "First model for the new application form."},
		Created: time.Date(2026, 6, 25, 14, 5, 9, 0, time.UTC),
		Spec:    artifact.Sum([]byte("spec")),
		Data:    Data{Source: "synthetic://credit?rows=20000&seed=7", Digest: artifact.Sum([]byte("data")), Rows: 20000, Columns: 11},
		Review: spec.Review{
			Deadline: spec.Duration(72 * time.Hour), Quorum: []spec.Seat{{Role: "ethics", Approvals: 2}, {Role: "risk", Approvals: 1}},
			Separate: []string{"requester"}, RemindEvery: spec.Duration(24 * time.Hour),
			Escalate: &spec.Escalate{After: spec.Duration(48 * time.Hour), To: []string{"risk-lead"}},
		},
		Refs: Names(map[string]artifact.Ref{
			"snapshot": ref("snapshot", 1_204_113), "model": ref("model", 4_410), "predictions": ref("predictions", 96_210),
			"evaluation": ref("evaluation", 24_010), "fairness": ref("fairness", 9_120), "champion_scores": {},
		}),
	}
}

// decide answers the conditions on predictions, as a spec without a test set asks them.
func decide(t *testing.T, d *Dossier, p evaluation.Predictions, conditions ...string) {
	t.Helper()
	decideBy(t, d, p, gate.Plan{Reliability: 0.95}, gate.AskPeople, conditions...)
}

func decideBy(t *testing.T, d *Dossier, p evaluation.Predictions, plan gate.Plan, policy gate.Policy, conditions ...string) {
	t.Helper()
	formulas := make([]gate.Formula, len(conditions))
	for i, text := range conditions {
		var err error
		formulas[i], err = gate.Parse(text, gate.Own{Name: "profit"})
		require.NoError(t, err)
	}
	counted := map[string]stats.Estimate{gate.ModelBytes: stats.Exact(12_345_678, 0)}
	for _, m := range d.Privacy.Metrics {
		counted[m.Name] = m.Estimate
	}
	source, err := evaluation.NewSource(p, evaluation.SourceOptions{Seed: 7, Replicates: stats.MinReplicates, New: evaluation.Figures{Counted: counted}})
	require.NoError(t, err)
	decision, err := gate.DecideAll(formulas, plan, source)
	require.NoError(t, err)
	decision.Settle(policy)
	d.Gate = Gate{decision}
}

func ref(name string, size int64) artifact.Ref {
	return artifact.Ref{Digest: artifact.Sum([]byte(name)), Size: size, MediaType: artifact.MediaJSON}
}

func importances() explain.Report {
	r := explain.Report{
		Method: "Permutation importance (Breiman 2001) on all 4000 rows: each feature's values are shuffled among the rows 5 times.",
		Rows:   4000, RowsUsed: 4000, Repeats: 5, Seed: 7,
	}
	for _, f := range []struct {
		name       string
		drop, half float64
	}{
		{"income", 0.1431, 0.0061}, {"existing_debt", 0.0822, 0.0048}, {"years_employed", 0.0317, 0.0041}, {"age_band", 0.0206, 0.0031},
		{"loan_amount", 0.0114, 0.0024}, {"postcode_area", 0.0031, 0.0019}, {"channel", 0.0002, 0.0008}, {"months_at_address", -0.0003, 0.0006},
	} {
		r.Features = append(r.Features, explain.Importance{Feature: f.name, AUCDrop: stats.Estimate{
			Value: f.drop, Low: f.drop - f.half, High: f.drop + f.half, Level: 0.95, Method: explain.IntervalMethod, N: 4000,
		}})
	}
	return r
}

func manifest() model.Manifest {
	return model.Manifest{
		Kind: model.KindLogistic, Trainer: "logistic", TrainerVersion: "1", Model: ref("model", 4410), Target: "approved", Positive: "yes",
		Features:    []string{"income", "existing_debt", "years_employed", "age_band", "loan_amount", "postcode_area", "channel", "months_at_address"},
		Parameters:  spec.Parameters{"l2": spec.Number(1), "max_iterations": spec.Number(1000), "tolerance": spec.Number(1e-7)},
		Training:    model.Data{Ref: ref("train", 700_000), Rows: 12_014},
		Fit:         model.Fit{Iterations: 23, Objective: 0.42, GradientNorm: 4e-8, Converged: true},
		Device:      &device.Device{Name: "CPU stand-in 0", Simulated: true},
		Environment: model.Environment{Go: "go1.26.8", OS: "linux", Arch: "amd64", Assay: "v0.1.0"},
	}
}
