package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

var (
	species = cached(freshSpecies)
	letters = cached(freshLetters)
	prices  = cached(freshPrices)

	hostileClasses = cached(freshHostileClasses)
)

// sightings are answers of two models that tell several classes apart, the later ones rarer and harder.
func sightings(n int, classes []string) evaluation.Predictions {
	random := rand.New(rand.NewPCG(5, 17))
	p := evaluation.Predictions{Task: stats.Multiclass, Classes: classes, Groups: map[string][]string{}}
	answer := func(truth int, sharp float64) []float64 {
		score, sum := make([]float64, len(classes)), 0.0
		for k := range score {
			logit := 0.8 * random.NormFloat64()
			switch {
			case k == truth:
				logit += sharp
			case k == (truth+1)%len(classes):
				logit += 0.55 * sharp
			}
			score[k] = math.Exp(logit)
			sum += score[k]
		}
		for k := range score {
			score[k] /= sum
		}
		return score
	}
	for i := range n {
		truth := int(float64(len(classes)) * math.Pow(random.Float64(), 1.6))
		region := []string{"coast", "hills", "delta"}[pick(random.Float64(), 0.5, 0.99)]
		observer := []string{"ranger", "visitor"}[pick(random.Float64(), 0.7)]
		sharp := 2.6
		if observer == "visitor" {
			sharp = 2.1
		}
		p.Row, p.Y = append(p.Row, int64(i)), append(p.Y, float64(truth))
		p.Score, p.Old = append(p.Score, answer(truth, sharp)...), append(p.Old, answer(truth, sharp-0.35)...)
		p.Groups["region"], p.Groups["observer"] = append(p.Groups["region"], region), append(p.Groups["observer"], observer)
	}
	return p
}

var speciesPredictions = sync.OnceValue(func() evaluation.Predictions {
	return sightings(2500, []string{"heron", "egret", "spoonbill", "bittern"})
})

// freshSpecies is a dossier of a model of four classes; version 2 serves.
func freshSpecies(t *testing.T) Dossier {
	t.Helper()
	p := speciesPredictions()
	d := ofClasses(t, p)
	e, err := evaluation.Evaluate(p, evaluation.Options{Seed: 7, Replicates: stats.MinReplicates})
	require.NoError(t, err)
	d.Champion, d.Comparison = &Champion{Version: 2}, e.Comparison
	decideBy(t, &d, p, gate.Plan{Reliability: 0.99}, gate.CountAsFail, "n > 0.6 +/- 0.05", "precision(bittern) > 0.9 +/- 0.02", "f1_macro > 0.7 +/- 0.02",
		"recall(egret)[region=coast] - recall(heron)[region=coast] > -0.5", "new.kappa - old.kappa > 0 +/- 0.1", "accuracy[observer=visitor] > 0.3")
	return d
}

func ofClasses(t *testing.T, p evaluation.Predictions) Dossier {
	t.Helper()
	d := measuredOn(t, p, "region", "observer")
	d.Evaluation.Comparison = nil
	d.Model, d.Lifecycle, d.Owner, d.Requester = "wetland-birds", "lifecycle/wetland-birds/7", "reserve", "Ines Okafor"
	d.Purpose = "Name the species of a sighting, for counts by season. Not for hunting quotas."
	d.Target = spec.Target{Column: "species", Task: string(stats.Multiclass)}
	d.Training = manifest()
	d.Training.Kind, d.Training.Target, d.Training.Positive, d.Training.Task, d.Training.Classes = model.KindServed, "species", "", stats.Multiclass, p.Classes
	accuracy, _ := d.Evaluation.Overall.Metric(stats.Accuracy)
	d.Explain = importances()
	d.Explain.Task, d.Explain.BaseAccuracy = stats.Multiclass, &accuracy.Value
	for i := range d.Explain.Features {
		f := &d.Explain.Features[i]
		f.AccuracyDrop, f.AUCDrop = f.AUCDrop, stats.Estimate{}
	}
	addTable(&d)
	d.Validation.Positives, d.Validation.Classes = 0, p.Classes
	for i := range p.Classes {
		d.Validation.ClassCounts = append(d.Validation.ClassCounts, int64(900-10*i))
	}
	return d
}

// freshLetters is a dossier of a model of thirty classes, whose matrix no page has room for.
func freshLetters(t *testing.T) Dossier {
	t.Helper()
	names := make([]string, 45)
	for i := range names {
		names[i] = fmt.Sprintf("letter %02d", i+1)
	}
	d := ofClasses(t, sightings(1500, names))
	d.NotCompared, d.Champion = "its program answered no request within 2m", &Champion{Version: 9}
	return d
}

// freshHostileClasses is a dossier of several classes whose names try to be markup, and are long.
func freshHostileClasses(t *testing.T) Dossier {
	t.Helper()
	long := strings.Repeat("averylongnamewithoutanyblank", 4)
	p := sightings(600, []string{script, long, `"><b>`, "{{.}}", "", "e", "f", "g", "h", "i", "j", "k"})
	p.Classes[4] = " "
	d := ofClasses(t, p)
	d.Evaluation.Slices[0].Column, d.Evaluation.Slices[1].Group = script, script+long
	d.Protected = []string{script, "observer"}
	x := &d.Evaluation.Intersections[0]
	x.Columns, x.Groups[0].Values = []string{script, long}, []string{script + long, script}
	for range mostSmallGroups + 5 {
		x.Small = append(x.Small, evaluation.SmallGroup{Values: []string{script, long}, Rows: 3})
	}
	d.NotCompared = script
	d.TestSet = &TestSetUse{Adaptivity: script, Step: -4, Of: 0, ShowTo: []string{script, long}}
	e, err := evaluation.Evaluate(p, evaluation.Options{Seed: 7, Replicates: stats.MinReplicates})
	require.NoError(t, err)
	d.Comparison = e.Comparison
	for _, text := range []string{`recall("` + strings.ReplaceAll(script, `"`, `\"`) + `") > 0.1`, "f1(" + long + ")[region=coast] > 0.1 +/- 0.01", "new.brier - old.brier < 0.2"} {
		f, err := gate.Parse(text)
		require.NoError(t, err, text)
		source, err := evaluation.NewSource(p, evaluation.SourceOptions{Replicates: stats.MinReplicates})
		require.NoError(t, err)
		one, err := gate.DecideAll([]gate.Formula{f}, gate.Plan{Reliability: 0.9}, source)
		require.NoError(t, err)
		d.Gate.Results = append(d.Gate.Results, one.Results...)
	}
	for i := range d.Gate.Results {
		for j := range d.Gate.Results[i].Units {
			m := &d.Gate.Results[i].Units[j].Measurement
			m.Method, m.Assumption, m.Guaranteed = script, script, false
		}
	}
	d.Gate.Sentence, d.Gate.Policy = script, gate.Policy(script)
	d.Gate.Split = gate.Split{Plan: gate.Plan{Reliability: 1e-300, Steps: 3, Adaptivity: script}, Delta: 1, PerStep: 1e-290, Clauses: 2, PerClause: math.SmallestNonzeroFloat64}
	return d
}

// pricePredictions are predicted rents, off by a twentieth and more for large flats; the label of four in ten rows is known,
// and of a few because the models differ on them.
var pricePredictions = sync.OnceValue(func() evaluation.Predictions {
	random := rand.New(rand.NewPCG(23, 29))
	p := evaluation.Predictions{Task: stats.Regression, Groups: map[string][]string{}, Own: map[string][]float64{}, OwnOld: map[string][]float64{}}
	for i := range 3000 {
		truth := 620 + 1400*random.Float64() + 90*random.NormFloat64()
		kind := []string{"flat", "house"}[pick(random.Float64(), 0.8)]
		city := []string{"north", "south", "isle"}[pick(random.Float64(), 0.6, 0.985)]
		said := truth*(1+0.06*random.NormFloat64()) + 12
		if kind == "house" {
			said -= 35
		}
		known := evaluation.Unknown
		switch i % 10 {
		case 0, 1, 2, 3:
			known = evaluation.Representative
		case 4:
			known = evaluation.Chosen
		default:
			truth = math.NaN()
		}
		p.Row, p.Y, p.Known = append(p.Row, int64(i)), append(p.Y, truth), append(p.Known, known)
		p.Score = append(p.Score, said)
		p.Old = append(p.Old, said+70*random.NormFloat64())
		p.Groups["kind"], p.Groups["city"] = append(p.Groups["kind"], kind), append(p.Groups["city"], city)
		p.Own["profit"], p.OwnOld["profit"] = append(p.Own["profit"], said/50), append(p.OwnOld["profit"], said/60)
	}
	return p
})

// freshPrices is a dossier of a model of numbers; version 11 serves.
func freshPrices(t *testing.T) Dossier {
	t.Helper()
	p := pricePredictions()
	d := measuredOn(t, p, "kind", "city")
	d.Comparison, d.Evaluation.Comparison = d.Evaluation.Comparison, nil
	d.Model, d.Lifecycle, d.Owner, d.Requester = "monthly-rent", "lifecycle/monthly-rent/2", "housing", "Tomo Reyes"
	d.Purpose = "Suggest a rent to a landlord. A person sets it."
	d.Target = spec.Target{Column: "rent", Task: string(stats.Regression)}
	d.Champion = &Champion{Version: 11}
	d.Labels = &LabelsGiven{Given: 240, Representative: 200, Chosen: 40}
	d.Training = manifest()
	d.Training.Kind, d.Training.Target, d.Training.Positive, d.Training.Task = model.KindServed, "rent", "", stats.Regression
	rmse, _ := d.Evaluation.Overall.Metric(stats.RMSE)
	d.Explain = importances()
	d.Explain.Task, d.Explain.BaseRMSE = stats.Regression, &rmse.Value
	for i := range d.Explain.Features {
		f := &d.Explain.Features[i]
		f.RMSERise = f.AUCDrop
		f.RMSERise.Value, f.RMSERise.Low, f.RMSERise.High = 900*f.AUCDrop.Value, 900*f.AUCDrop.Low, 900*f.AUCDrop.High
		f.AUCDrop = stats.Estimate{}
	}
	addTable(&d)
	d.Validation.Positives, d.Validation.Target = 0, &table.Moments{Rows: 20000, Mean: 1318.4, SD: 412.7}
	for i := range d.Validation.Groups {
		for j := range d.Validation.Groups[i].Groups {
			g := &d.Validation.Groups[i].Groups[j]
			g.Target = &table.Moments{Rows: g.Rows, Mean: 1300 + 10*float64(j), SD: 400}
		}
	}
	d.Refs = Names(map[string]artifact.Ref{"labels": ref("labels", 900)})
	decideBy(t, &d, p, gate.Plan{Reliability: 0.95, Steps: 8, Adaptivity: gate.AdaptivityFirstChange}, gate.CountAsPass,
		"rmse < 90 +/- 10", "mean_error[kind=house] > -20 +/- 5", "new.mae - old.mae < 0 +/- 5", "profit > 20 +/- 3", "r2 > 0.5 +/- 0.1", "model_bytes < 2e7")
	d.TestSet = &TestSetUse{Adaptivity: string(gate.AdaptivityFirstChange), Step: 2, Of: 8, ShowTo: []string{"ethics"}}
	return d
}
