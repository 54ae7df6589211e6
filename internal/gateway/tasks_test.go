package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// UnmarshalJSON reads what MarshalJSON writes, as strictly as the tests read everything.
func (t *outputTensor) UnmarshalJSON(b []byte) error {
	var in struct {
		Name     string          `json:"name"`
		Shape    []int           `json:"shape"`
		Datatype string          `json:"datatype"`
		Data     json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	t.Name, t.Shape, t.Datatype = in.Name, in.Shape, in.Datatype
	if in.Datatype == bytesType {
		return json.Unmarshal(in.Data, &t.Texts)
	}
	return json.Unmarshal(in.Data, &t.Data)
}

// taskPredictor is a predictor of any task.
type taskPredictor struct {
	fakePredictor
	schema model.Schema
}

func (p *taskPredictor) Schema() model.Schema {
	p.schema.Features, p.schema.Target = ageAndSex, "repaid"
	return p.schema
}

// species gives 0.2 to the class 10, and what age is of 80 to the class a and the rest to b.
func species() *taskPredictor {
	return &taskPredictor{schema: model.Schema{Task: stats.Multiclass, Classes: []string{"a", "b", "10"}},
		fakePredictor: fakePredictor{fn: func(_ context.Context, f *table.Frame) ([]float64, error) {
			var out []float64
			for _, age := range f.Columns[0].Numbers {
				out = append(out, age/100, 0.8-age/100, 0.2)
			}
			return out, nil
		}}}
}

// price gives 1000 less 30 for each year.
func price() *taskPredictor {
	return &taskPredictor{schema: model.Schema{Task: stats.Regression},
		fakePredictor: fakePredictor{fn: func(_ context.Context, f *table.Frame) ([]float64, error) {
			var out []float64
			for _, age := range f.Columns[0].Numbers {
				out = append(out, 1000-30*age)
			}
			return out, nil
		}}}
}

const threeRows = `"instances":[{"age":50,"sex":"Male"},{"age":40,"sex":null},{"age":10,"sex":"Male"}]}`

func TestAMulticlassModelGivesProbabilitiesAndTheClass(t *testing.T) {
	b := newBench(t, newSource(Serving{Champion: 1}, species()))
	got := b.answer(`{"id":"r",` + threeRows)
	probabilities := outputTensor{Name: "probabilities", Shape: []int{3, 3}, Datatype: "FP64", Data: []float64{0.5, 0.3, 0.2, 0.4, 0.4, 0.2, 0.1, 0.7, 0.2}}
	class := outputTensor{Name: "class", Shape: []int{3}, Datatype: "BYTES", Texts: []string{"a", "a", "b"}}
	near := cmpopts.EquateApprox(0, 1e-12)
	require.Empty(t, cmp.Diff([]outputTensor{probabilities, class}, got.Outputs, near))
	require.Contains(t, b.infer(`{"id":"one","instances":[{"age":50,"sex":"Male"}]}`).body, `{"name":"class","shape":[1],"datatype":"BYTES","data":["a"]}`)

	require.Empty(t, cmp.Diff([]outputTensor{class}, b.answer(`{"outputs":[{"name":"class"}],`+threeRows).Outputs))
	require.Empty(t, cmp.Diff([]outputTensor{probabilities}, b.answer(`{"outputs":[{"name":"probabilities"}],`+threeRows).Outputs, near))
	require.Equal(t, `model "credit": there is no output "score"; the model has two outputs, "probabilities" and "class"`,
		b.infer(`{"outputs":[{"name":"score"}],`+threeRows).problem(t))

	var scores []float64
	var classes []string
	for _, r := range b.log() {
		if len(r.ID) == len("r/0") && r.ID[0] == 'r' {
			scores, classes = append(scores, *r.Score), append(classes, r.Class)
		}
	}
	require.InDeltaSlice(t, []float64{0.5, 0.4, 0.7}, scores, 1e-12, "the largest of the row's probabilities")
	require.Equal(t, []string{"a", "a", "b"}, classes)
}

func TestARegressionGivesANumber(t *testing.T) {
	b := newBench(t, newSource(Serving{Champion: 1}, price()))
	want := []outputTensor{{Name: "prediction", Shape: []int{3}, Datatype: "FP64", Data: []float64{-500, -200, 700}}}
	require.Empty(t, cmp.Diff(want, b.answer(`{"id":"r",`+threeRows).Outputs))
	require.Empty(t, cmp.Diff(want, b.answer(`{"id":"s","outputs":[{"name":"prediction"}],`+threeRows).Outputs))
	require.Equal(t, `model "credit": there is no output "score"; a model has one output, "prediction"`, b.infer(`{"outputs":[{"name":"score"}],`+threeRows).problem(t))
	log := b.log()
	require.Len(t, log, 6)
	require.Equal(t, -500.0, *log[0].Score)
	require.Empty(t, log[0].Class)
}

func TestMetadataTellsTheOutputsOfATask(t *testing.T) {
	for _, c := range []struct {
		p    model.Predictor
		want []metadataTensor
	}{
		{&fakePredictor{}, []metadataTensor{{Name: "score", Datatype: "FP64", Shape: []int{-1}}}},
		{price(), []metadataTensor{{Name: "prediction", Datatype: "FP64", Shape: []int{-1}}}},
		{species(), []metadataTensor{
			{Name: "probabilities", Datatype: "FP64", Shape: []int{-1, 3}, Classes: []string{"a", "b", "10"}}, {Name: "class", Datatype: "BYTES", Shape: []int{-1}}}},
	} {
		b := newBench(t, newSource(Serving{Champion: 1}, c.p))
		got := decoded[modelMetadata](t, b.do(http.MethodGet, "/v2/models/credit", "").body)
		require.Empty(t, cmp.Diff(c.want, got.Outputs))
	}
}

func TestPredictionsThatAreNotWhatTheTaskPredictsAreTheVersionsFault(t *testing.T) {
	give := func(p *taskPredictor, scores ...float64) *taskPredictor {
		p.fn = func(context.Context, *table.Frame) ([]float64, error) { return scores, nil }
		return p
	}
	for _, c := range []struct {
		p    *taskPredictor
		want string
	}{
		{give(species(), 0.5, 0.5), "gave 2 scores for 1 rows; expected 3 for each"},
		{give(species(), 0.5, 0.3, 0.1), "gave probabilities for row 0 that do not sum to 1"},
		{give(species(), 1.5, -0.3, -0.2), "gave a score for row 0 that is no probability"},
		{give(species(), math.NaN(), 0.5, 0.5), "gave a score for row 0 that is no probability"},
		{give(price(), math.Inf(1)), "gave a number for row 0 that is not finite"},
		{give(price(), math.NaN()), "gave a number for row 0 that is not finite"},
	} {
		b := newBench(t, newSource(Serving{Champion: 1}, c.p))
		require.Equal(t, 500, b.infer(oneRow).code)
		log := b.log()
		require.Len(t, log, 1)
		require.Contains(t, log[0].Error, c.want)
		require.Nil(t, log[0].Score)
		require.Empty(t, log[0].Class)
	}
}

func TestACandidateOfAnotherTaskIsFallenBackFrom(t *testing.T) {
	broken := species()
	broken.fn = func(context.Context, *table.Frame) ([]float64, error) { return nil, errors.New("broken") }
	b := newBench(t, newSource(Serving{Champion: 1, Candidate: 2, Traffic: 100}, price(), broken))
	got := b.answer(oneRow)
	require.True(t, got.Parameters.Fallback)
	require.Equal(t, "prediction", got.Outputs[0].Name, "the outputs are those of the version that answers")
}

func TestLabelsOfOtherTasks(t *testing.T) {
	for _, c := range []struct {
		name      string
		p         model.Predictor
		good, bad []string // as JSON
		logged    []string
		want      string
	}{
		{"multiclass", species(), []string{`"a"`, `"10"`, `10`, `1e1`}, []string{`"c"`, `11`, `true`, `null`, `["a"]`, `""`}, []string{"a", "10", "10", "10"},
			`model "credit": label 0: expected a "label" of the target's 3 classes, ["a" "b" "10"]`},
		{"regression", price(), []string{`12.5`, `"-3"`, `1e3`, `0`}, []string{`"much"`, `"NaN"`, `"inf"`, `true`, `null`, `[1]`}, []string{"12.5", "-3", "1000", "0"},
			`model "credit": label 0: expected a "label" that is a finite number`},
		{"binary", &fakePredictor{}, []string{`"yes"`, `"no"`}, []string{`"maybe"`, `1`, `true`, `null`}, []string{"yes", "no"},
			`model "credit": label 0: expected a "label" of the target's two values, "no" or "yes"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, newSource(Serving{Champion: 1}, c.p))
			send := func(label string) reply {
				return b.do(http.MethodPost, "/v2/models/credit/labels", fmt.Sprintf(`{"labels":[{"id":"r","label":%s}]}`, label))
			}
			for _, label := range c.good {
				require.Equal(t, http.StatusAccepted, send(label).code, label)
			}
			for _, label := range c.bad {
				r := send(label)
				require.Equal(t, http.StatusBadRequest, r.code, label)
				require.Equal(t, c.want, r.problem(t))
			}
			require.Equal(t, http.StatusBadRequest, b.do(http.MethodPost, "/v2/models/credit/labels", `{"labels":[{"id":"r"}]}`).code)
			require.NoError(t, b.Flush(t.Context()))
			var got []string
			require.NoError(t, predictionlog.ReadLabels(t.Context(), b.store, "credit", time.Time{}, time.Time{}, func(l predictionlog.Label) error {
				got = append(got, l.Label)
				return nil
			}))
			require.Equal(t, c.logged, got)
		})
	}
}
