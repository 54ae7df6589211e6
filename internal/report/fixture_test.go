package report

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
)

// applications are generated loan applications with the scores of a model that is somewhat harder on women and on the old.
type applications struct {
	sample    stats.Sample
	sex, ages []string
}

func generate(n int) applications {
	random := rand.New(rand.NewPCG(7, 11))
	var a applications
	for range n {
		sex := []string{"female", "male", "unknown"}[pick(random.Float64(), 0.47, 0.998)]
		age := []string{"18-24", "25-39", "40-64", "65+"}[pick(random.Float64(), 0.11, 0.49, 0.9)]
		merit := random.NormFloat64()*1.7 + 0.2
		truth := random.Float64() < 1/(1+math.Exp(-2.2*merit)) && sex != "unknown"
		score := 1.9*merit + 0.35*random.NormFloat64()
		if sex == "female" {
			score -= 0.35
		}
		if age == "65+" {
			score -= 0.5
		}
		a.sample.Y = append(a.sample.Y, truth)
		a.sample.Score = append(a.sample.Score, 1/(1+math.Exp(-score)))
		a.sex, a.ages = append(a.sex, sex), append(a.ages, age)
	}
	return a
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

// loan is a dossier as a real lifecycle makes one: measured by the packages that measure, on generated applications.
func loan(t *testing.T) Dossier {
	t.Helper()
	a := generate(4000)
	opt := stats.Options{Threshold: 0.5, Replicates: stats.MinReplicates, Seed: 7}
	overall, err := stats.Evaluate(a.sample, opt)
	require.NoError(t, err)
	bySex, err := stats.EvaluateSlices(a.sample, "sex", a.sex, opt)
	require.NoError(t, err)
	byAge, err := stats.EvaluateSlices(a.sample, "age_band", a.ages, opt)
	require.NoError(t, err)
	audit, err := fairness.Audit(a.sample, []fairness.Attribute{{Name: "sex", Groups: a.sex}, {Name: "age_band", Groups: a.ages}}, opt)
	require.NoError(t, err)
	outcomes := make([]string, len(a.sample.Y))
	for i, y := range a.sample.Y {
		outcomes[i] = map[bool]string{true: "yes", false: "no"}[y]
	}
	hidden, err := privacy.KAnonymity([]privacy.Column{{Name: "sex", Values: a.sex}, {Name: "age_band", Values: a.ages}}, outcomes)
	require.NoError(t, err)

	d := Dossier{
		Format: Format, Model: "loan-approval", Lifecycle: "lifecycle/loan-approval/2026-06-25-k3", Owner: "consumer-credit", Requester: "Mara Lindqvist",
		Purpose:    "Suggest to a loan officer whether an application should be approved. A person decides every case; not for setting interest rates.",
		Trigger:    stage.Trigger{Kind: "manual", Reason: "First model for the new application form."},
		Created:    time.Date(2026, 6, 25, 14, 5, 9, 0, time.UTC),
		Spec:       artifact.Sum([]byte("spec")),
		Target:     spec.Target{Column: "approved", Positive: "yes"},
		Protected:  []string{"sex", "age_band"},
		Data:       Data{Source: "synthetic://credit?rows=20000&seed=7", Digest: artifact.Sum([]byte("data")), Rows: 20000, Columns: 11},
		Evaluation: Evaluation{Overall: overall, Slices: append(bySex, byAge...)},
		Fairness:   audit, Privacy: hidden,
		Explain:  importances(overall),
		Training: manifest(),
		Review: spec.Review{
			Deadline: spec.Duration(72 * time.Hour), Quorum: []spec.Seat{{Role: "ethics", Approvals: 2}, {Role: "risk", Approvals: 1}},
			Separate: []string{"requester"}, RemindEvery: spec.Duration(24 * time.Hour),
			Escalate: &spec.Escalate{After: spec.Duration(48 * time.Hour), To: []string{"risk-lead"}},
		},
		Refs: Names(map[string]artifact.Ref{
			"snapshot": ref("snapshot", 1_204_113), "model": ref("model", 4_410), "predictions": ref("predictions", 96_210),
			"evaluation": ref("evaluation", 24_010), "fairness": ref("fairness", 9_120), "champion": {},
		}),
		Warnings: []string{"The device was simulated; training ran on the processor."},
	}
	addTable(&d)
	decide(t, &d, "auc > 0.85", "accuracy >= 0.75", "recall[sex=female] > 0.76", "demographic_parity_difference[age_band] < 0.1",
		"equal_opportunity_difference[age_band] < 0.2", "log_loss < 0.6", "k_anonymity >= 1", "recall[sex=unknown] > 0.5")
	return d
}

// decide answers the conditions on what the dossier holds.
func decide(t *testing.T, d *Dossier, conditions ...string) {
	t.Helper()
	var parsed []gate.Condition
	for _, text := range conditions {
		c, err := gate.Parse(text)
		require.NoError(t, err)
		parsed = append(parsed, c)
	}
	evidence := gate.Evidence{Evaluation: d.Evaluation.Overall, Slices: d.Evaluation.Slices, Fairness: d.Fairness, Privacy: d.Privacy}
	results, verdict, err := gate.DecideAll(parsed, evidence.Lookup)
	require.NoError(t, err)
	d.Gate = Gate{Verdict: verdict, Results: results}
}

func ref(name string, size int64) artifact.Ref {
	return artifact.Ref{Digest: artifact.Sum([]byte(name)), Size: size, MediaType: artifact.MediaJSON}
}

func importances(overall stats.Report) explain.Report {
	auc, _ := overall.Metric(stats.AreaUnderROC)
	r := explain.Report{
		Method:  "Permutation importance (Breiman 2001) on all 4000 rows: each feature's values are shuffled among the rows 5 times.",
		BaseAUC: auc, Rows: 4000, RowsUsed: 4000, Repeats: 5, Seed: 7,
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
