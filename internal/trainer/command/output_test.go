package command

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func read(t require.TestingT, watch Watch, definitions []spec.MetricDefinition, lines ...string) *reading {
	r, err := newReading(definitions, watch)
	require.NoError(t, err)
	for _, l := range lines {
		r.line([]byte(l), false)
	}
	return r
}

func metricOf(name string, values ...float64) model.Metric {
	m := model.Metric{Name: name, Least: math.Inf(1), Most: math.Inf(-1), Count: len(values)}
	for _, v := range values {
		m.Last, m.Least, m.Most = v, min(m.Least, v), max(m.Most, v)
	}
	return m
}

func points(steps ...float64) []model.Point {
	var out []model.Point
	for i := 0; i < len(steps); i += 2 {
		out = append(out, model.Point{Step: steps[i], Value: steps[i+1]})
	}
	return out
}

func TestMetricsAreReadFromTheOutput(t *testing.T) {
	definitions := []spec.MetricDefinition{{Name: "loss", Regex: `loss=([0-9.eE+-]+|nan|inf)`}, {Name: "auc", Regex: `auc: (\S+)`}}
	for _, c := range []struct {
		name     string
		lines    []string
		metrics  []model.Metric
		curves   []model.Curve
		warnings []string
	}{
		{"nothing", []string{"hello", "", "   ", "[1]", "0.5"}, nil, nil, nil},
		{"JSON lines with steps", []string{`{"step": 10, "total": 20, "loss": 0.5}`, `  {"step":20,"loss":0.25,"note":"x","ok":true,"none":null,"list":[1]}  `},
			[]model.Metric{metricOf("loss", 0.5, 0.25)}, []model.Curve{{Name: "loss", Points: points(10, 0.5, 20, 0.25)}}, nil},
		{"steps from 0", []string{`{"epoch": 0, "loss": 3}`, `{"epoch": 1, "loss": 2}`},
			[]model.Metric{metricOf("loss", 3, 2)}, []model.Curve{{Name: "loss", Points: points(0, 3, 1, 2)}}, nil},
		{"without steps the reports are counted", []string{`{"loss": 3}`, `{"loss": -1e2}`, `{"acc": 1}`},
			[]model.Metric{metricOf("acc", 1), metricOf("loss", 3, -100)},
			[]model.Curve{{Name: "acc", Points: points(1, 1)}, {Name: "loss", Points: points(1, 3, 2, -100)}}, nil},
		{"metric definitions", []string{"epoch 1: loss=0.5, auc: 0.75", "loss=1e-3", "loss=", "auc: high"},
			[]model.Metric{metricOf("auc", 0.75), metricOf("loss", 0.5, 1e-3)},
			[]model.Curve{{Name: "auc", Points: points(1, 0.75)}, {Name: "loss", Points: points(1, 0.5, 2, 1e-3)}}, nil},
		{"numbers that are none", []string{`{"step": 1, "loss": NaN, "x":-Infinity,"y":Infinity}`, `{"step": 2, "loss": 1, "m": [NaN,NaN], "t": "a, NaN, \", NaN,"}`, "loss=nan", "loss=inf"},
			[]model.Metric{metricOf("loss", 1)}, []model.Curve{{Name: "loss", Points: points(2, 1)}},
			[]string{
				"the program reported loss as NaN or infinite 3 times; these reports are not in its curve",
				"the program reported x as NaN or infinite 1 times; these reports are not in its curve",
				"the program reported y as NaN or infinite 1 times; these reports are not in its curve",
			}},
		{"malformed JSON", []string{`{"loss": 0.5`, `{`, `{loss: 1}`, `{"loss": 1} and more`, `{"loss": 1e999}`, `{"loss": 2}`},
			[]model.Metric{metricOf("loss", 2)}, []model.Curve{{Name: "loss", Points: points(1, 2)}},
			[]string{"4 lines of the program's output begin like JSON objects and are none; they are in its output, their metrics are not read"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := read(t, Watch{}, definitions, c.lines...)
			metrics, curves := r.summary()
			require.Equal(t, c.metrics, metrics)
			require.Equal(t, c.curves, curves)
			require.Equal(t, c.warnings, r.warnings())
			require.Equal(t, strings.Join(c.lines, "\n")+"\n", string(r.transcript.bytes()))
		})
	}
}

func TestTheWatchedMetricCountsItsResource(t *testing.T) {
	type report struct {
		Resource int
		Value    string
	}
	reports := func(w Watch, lines ...string) []report {
		r := read(t, w, nil)
		var all []report
		for _, l := range lines {
			if r.line([]byte(l), false).reached {
				all = append(all, report{r.resource, fmt.Sprint(*r.watched)})
			}
		}
		return all
	}
	lines := []string{`{"epoch": 2, "auc": 0.5}`, `{"loss": 1}`, `{"epoch": 4, "auc": NaN, "": 9}`, `{"epoch": 3, "auc": 0.75}`, `{"epoch": -1e300, "auc": 1}`}
	require.Equal(t, []report{{2, "0.5"}, {4, "NaN"}, {4, "0.75"}, {4, "1"}}, reports(Watch{Metric: "auc", By: "epoch"}, lines...), "resources never shrink")
	require.Equal(t, []report{{1, "0.5"}, {2, "NaN"}, {3, "0.75"}, {4, "1"}}, reports(Watch{Metric: "auc"}, lines...))
	require.Empty(t, reports(Watch{}, lines...))

	var crowd []string
	for i := range 2 * mostMetrics {
		crowd = append(crowd, fmt.Sprintf(`{"m%03d": 1}`, i))
	}
	r := read(t, Watch{Metric: "auc"}, nil, append(crowd, `{"auc": 0.5}`)...)
	require.InDelta(t, 0.5, *r.watched, 0, "however many others there are")
	metrics, _ := r.summary()
	require.Len(t, metrics, mostMetrics+1)
	require.Equal(t, []string{"the program reported more than 100 different metrics; 100 reports of others were left out"}, r.warnings())
	require.LessOrEqual(t, len(r.values()), mostShown+1)
	require.Contains(t, read(t, Watch{Metric: "zzz"}, nil, append(crowd, `{"zzz": 1}`)...).values(), "zzz")
}

func TestCurvesAreThinnedOutEvenlyAndKeepTheirLastPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 20_000), rapid.SampledFrom([]int{999, 1000, 1001, 1002, 2000, 2001, 4000})).Draw(t, "reports")
		stride := rapid.IntRange(1, 7).Draw(t, "stride")
		r := read(t, Watch{}, nil)
		for i := range n {
			r.step, r.counted = float64(i*stride), true
			r.report("loss", float64(-i), nil)
		}
		r.step = 1e9 // a step without a report of this metric
		metrics, curves := r.summary()
		require.Equal(t, n, metrics[0].Count)
		p := curves[0].Points
		require.LessOrEqual(t, len(p), mostPoints+1)
		require.GreaterOrEqual(t, len(p), min(n, mostPoints/2))
		require.Equal(t, model.Point{Step: 0, Value: 0}, p[0])
		require.Equal(t, model.Point{Step: float64((n - 1) * stride), Value: float64(1 - n)}, p[len(p)-1])
		for i := 1; i < len(p); i++ {
			require.InDelta(t, p[i].Step, -p[i].Value*float64(stride), 0, "points are reports")
			if i < len(p)-1 {
				require.InDelta(t, p[1].Step-p[0].Step, p[i].Step-p[i-1].Step, 0, "evenly")
			}
		}
	})
}

func TestAnythingMayBePrinted(t *testing.T) {
	definitions := []spec.MetricDefinition{{Name: "loss", Regex: `loss=(.*)`}}
	words := rapid.SampledFrom([]string{`{`, `}`, `"`, `\`, `:`, `,`, `NaN`, `-Infinity`, `"loss"`, `"checkpoint"`, `"step"`, `1`, `1e999`, ` `, `[`, `]`, `null`, "\x00", "\xff", `loss=`})
	rapid.Check(t, func(t *rapid.T) {
		r := read(t, Watch{Metric: "loss", By: "step"}, definitions)
		for _, line := range rapid.SliceOfN(rapid.SliceOfN(words, 0, 12), 0, 30).Draw(t, "lines") {
			text := "{" + strings.Join(line, "")
			r.line([]byte(text), rapid.Bool().Draw(t, "truncated"))
			if valid := json.Valid([]byte(text)); valid {
				require.Equal(t, text, string(quoteNonFinite([]byte(text))), "what is JSON stays as it is")
			}
		}
		metrics, curves := r.summary()
		_, err := json.Marshal([]any{metrics, curves, r.values(), r.step, r.total})
		require.NoError(t, err)
		_ = r.sentence()
	})
}

func TestTheOutputKeepsItsBeginningAndItsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var out transcript
		var whole []byte
		size := rapid.IntRange(1, 60_000).Draw(t, "size")
		for i := range rapid.IntRange(0, 120).Draw(t, "lines") {
			line := fmt.Sprintf("%d %s", i, strings.Repeat("x", size))
			out.add([]byte(line), false)
			whole = append(append(whole, line...), '\n')
		}
		got := string(out.bytes())
		if !strings.Contains(got, "bytes are left out here") {
			require.Equal(t, string(whole), got)
			require.LessOrEqual(t, len(got), headBytes+tailBytes)
			return
		}
		require.LessOrEqual(t, len(got), headBytes+tailBytes+100)
		head, rest, _ := strings.Cut(got, "[... ")
		left, tail, _ := strings.Cut(rest, " bytes are left out here ...]\n")
		require.True(t, strings.HasPrefix(string(whole), head))
		require.True(t, strings.HasSuffix(string(whole), tail))
		require.Equal(t, fmt.Sprint(len(whole)-len(head)-len(tail)), left)
	})
}

func TestMetricsOfAProgramAreReportedAndStored(t *testing.T) {
	b := newBench(t)
	j := b.script(t, `
echo '{"epoch": 0, "total": 2, "auc": 0.5}'
await told
echo 'loss=0.25 at the end'; echo '{"epoch": 1, "auc": NaN}'
model`)
	j.Command.Metrics = []spec.MetricDefinition{{Name: "loss", Regex: `loss=([0-9.]+)`}}
	j.Watch = Watch{Metric: "auc", By: "epoch"}
	var reached []string
	var progress []stage.TrainingProgress
	j.Observer.Reached = func(resource int, value float64) { reached = append(reached, fmt.Sprint(resource, value)) }
	j.Observer.Progress = func(p stage.TrainingProgress) {
		if progress = append(progress, p); len(p.Metrics) > 0 {
			b.signal(t, "told")
		}
	}
	res := b.succeeds(t, j)
	require.Equal(t, []string{"0 0.5", "1 NaN"}, reached)
	first := progress[len(progress)-1]
	for _, p := range progress {
		if len(p.Metrics) > 0 {
			first = p
			break
		}
	}
	require.Equal(t, stage.TrainingProgress{Step: 0, Total: 2, Metrics: map[string]float64{"auc": 0.5}, Attempt: 1, Text: "step 0, auc 0.5"}, first)
	require.True(t, math.IsNaN(*res.Value))
	require.Equal(t, 1, res.Resource)
	require.Equal(t, []model.Metric{metricOf("auc", 0.5), metricOf("loss", 0.25)}, res.Metrics)
	require.Equal(t, []string{"the program reported auc as NaN or infinite 1 times; these reports are not in its curve"}, res.Warnings)
	var curves []model.Curve
	require.NoError(t, artifact.ReadJSON(t.Context(), b.store, res.Curves, &curves))
	require.Equal(t, []model.Curve{{Name: "auc", Points: points(0, 0.5)}, {Name: "loss", Points: points(0, 0.25)}}, curves)
	require.Equal(t, "{\"epoch\": 0, \"total\": 2, \"auc\": 0.5}\nloss=0.25 at the end\n{\"epoch\": 1, \"auc\": NaN}\n", b.text(t, res.Program.Output))

	quiet := b.succeeds(t, handedOut(b.script(t, "model"), 2))
	require.True(t, quiet.Curves.IsZero())
	require.Nil(t, quiet.Value)
	require.Empty(t, b.text(t, quiet.Program.Output))
}

func TestGigabytesOfOutputTakeLittleMemoryAndLittleOfTheStore(t *testing.T) {
	b := newBench(t)
	const printed = 300_000_000
	memory := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.Sys
	}
	before := memory()
	res := b.succeeds(t, b.acts(t, "flood", "BYTES", fmt.Sprint(printed)))
	require.Less(t, memory()-before, uint64(100_000_000))
	require.Greater(t, res.Metrics[0].Count, printed/10_000)
	require.LessOrEqual(t, res.Program.Output.Size, int64(headBytes+tailBytes+100))
	require.LessOrEqual(t, res.Curves.Size, int64(100*mostPoints))

	before = memory()
	res = b.succeeds(t, handedOut(b.acts(t, "flood", "BYTES", fmt.Sprint(printed), "ENDLESS", "yes"), 2))
	require.Less(t, memory()-before, uint64(100_000_000))
	require.Empty(t, res.Metrics)
	require.LessOrEqual(t, res.Program.Output.Size, int64(100_000))
	require.True(t, strings.HasSuffix(b.text(t, res.Program.Output), " [...]\n"))
	require.Equal(t, []string{"1 lines of the program's output begin like JSON objects and are none; they are in its output, their metrics are not read"}, res.Warnings)
}
