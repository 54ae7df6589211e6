package gateway

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/stats"
)

// keyHeader carries the key that decides which version answers.
const keyHeader = "X-Assay-Key"

// call is one inference request on its way.
type call struct {
	start    time.Time
	dep      *deployment
	req      inferRequest
	key      string // hashed, as the log keeps it
	answered *version
}

func (g *Gateway) infer(w http.ResponseWriter, r *http.Request) {
	c := &call{start: g.cfg.Now()}
	resp, err := g.answer(w, r, c)
	code := http.StatusOK
	if err != nil {
		code = writeProblem(w, err)
	} else {
		writeJSON(w, code, resp)
	}
	g.metrics.request(c, code, g.cfg.Now().Sub(c.start))
}

func (g *Gateway) answer(w http.ResponseWriter, r *http.Request, c *call) (*inferResponse, error) {
	leave, err := g.enter(r.Context())
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), g.cfg.Timeout)
	defer cancel()

	st, release := g.hold()
	defer release()
	if c.dep, err = g.deployed(st, r.PathValue("model")); err != nil {
		return nil, err
	}
	if err := readJSON(w, r, g.cfg.MaxBody, &c.req); err != nil {
		return nil, about(c.dep.model, err)
	}
	if err := c.req.checkForm(); err != nil {
		return nil, about(c.dep.model, err)
	}
	if c.req.ID == "" {
		c.req.ID = rand.Text()
	}
	key := r.Header.Get(keyHeader)
	if key == "" {
		key = c.req.ID
	}
	c.key = hashedKey(c.dep.model, key)

	first, fallback, err := c.dep.choose(r.PathValue("version"), key)
	if err != nil {
		return nil, err
	}
	return g.predict(ctx, r.Context(), c, first, fallback)
}

// enter waits for a slot. The request counts as at work until leave is called.
func (g *Gateway) enter(ctx context.Context) (leave func(), err error) {
	if g.draining.Load() {
		return nil, errShuttingDown
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Timeout)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, problem(http.StatusServiceUnavailable, "the gateway worked on %d other requests for %s; ask again in a moment", g.cfg.MaxConcurrent, g.cfg.Timeout)
	}
	g.gate.RLock()
	if g.closed {
		g.gate.RUnlock()
		<-g.slots
		return nil, errShuttingDown
	}
	return func() { g.gate.RUnlock(); <-g.slots }, nil
}

// choose gives the version named in the path, which is asked as it is, or the one the key leads to.
func (d *deployment) choose(named, key string) (first, fallback *version, err error) {
	if named != "" {
		first, err = d.version(named)
	} else if first, fallback = d.route(key); first == nil {
		err = d.notPromoted()
	}
	if err == nil && first.loading() {
		err = d.unloadable(first)
	}
	return first, fallback, err
}

// predict asks first, then fallback when first fails, records what happened, and answers.
func (g *Gateway) predict(ctx, caller context.Context, c *call, first, fallback *version) (*inferResponse, error) {
	c.answered = first
	scores, records, err := g.tryFirst(ctx, c, first, fallback != nil)
	if err != nil && caller.Err() == nil && fallback != nil {
		scores, records, err = g.fallBack(ctx, c, fallback, records, err)
	}
	if caller.Err() != nil {
		return nil, problem(statusClientClosed, "the caller went away")
	}
	if isRefusal(err) {
		return nil, about(c.dep.model, err)
	}
	if logErr := g.record(c, records); logErr != nil {
		return nil, logErr
	}
	if err != nil {
		g.cfg.Logger.Error("prediction failed", "model", c.dep.model, "version", c.answered.number, "id", c.req.ID, "error", err)
		return nil, problem(http.StatusInternalServerError, "version %d of model %q failed on this request; the gateway's log says why, under id %q", c.answered.number, c.dep.model, c.req.ID)
	}
	return c.response(scores, c.answered != first), nil
}

// tryFirst leaves a slow version only half of the time when another stands ready to answer in its place.
func (g *Gateway) tryFirst(ctx context.Context, c *call, v *version, replaceable bool) ([]float64, []predictionlog.Record, error) {
	if replaceable {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.cfg.Timeout/2)
		defer cancel()
	}
	return g.try(ctx, c, v)
}

// fallBack asks the champion after the candidate failed, or refused a request. When both refuse, the request is at fault;
// when only the champion does, the candidate's failure stands.
func (g *Gateway) fallBack(ctx context.Context, c *call, champion *version, failed []predictionlog.Record, why error) ([]float64, []predictionlog.Record, error) {
	candidate := c.answered
	scores, records, err := g.try(ctx, c, champion)
	switch {
	case isRefusal(err) && isRefusal(why):
		return nil, nil, err
	case isRefusal(err):
		return nil, failed, why
	case isRefusal(why):
		failed = g.failures500(c, candidate, records, fmt.Errorf("refused an input that version %d takes: %w", champion.number, why))
	}
	c.answered = champion
	g.metrics.fallbacks.WithLabelValues(c.dep.model).Inc()
	g.cfg.Logger.Warn("the candidate failed, the champion answers", "model", c.dep.model, "candidate", candidate.number, "champion", champion.number, "id", c.req.ID, "error", why)
	return scores, append(failed, records...), err
}

// try asks one version. Its records are of the answers or, when it failed, of the failure; a request it refuses
// leaves none.
func (g *Gateway) try(ctx context.Context, c *call, v *version) ([]float64, []predictionlog.Record, error) {
	records := c.newRecords(v)
	if v.err != nil {
		return nil, g.failures500(c, v, records, v.err), v.err
	}
	schema := v.instance.predictor.Schema()
	if err := c.req.checkOutputs(schema); err != nil {
		return nil, nil, err
	}
	rows, err := c.req.rows(schema)
	if err != nil {
		return nil, nil, err
	}
	for i := range records {
		records[i].Features = rows[i]
	}
	scores, err := score(ctx, v.instance.predictor, records)
	if err != nil {
		return nil, g.failures500(c, v, records, err), err
	}
	latency := g.cfg.Now().Sub(c.start).Microseconds()
	for i := range records {
		records[i].Status, records[i].LatencyMicros = http.StatusOK, latency
		records[i].Score, records[i].Class = summary(schema, scores, i)
	}
	return scores, records, nil
}

// summary is what the log keeps of row i's prediction: its number, or the largest of its probabilities and whose it is.
func summary(s model.Schema, scores []float64, i int) (score *float64, class string) {
	if s.TaskOf() != stats.Multiclass {
		return &scores[i], ""
	}
	row := scores[i*s.Width() : (i+1)*s.Width()]
	best := stats.MostProbable(row)
	return &row[best], s.Classes[best]
}

// score asks a predictor and distrusts it: a panic or a score that is not what its task predicts is an error.
func score(ctx context.Context, p model.Predictor, records []predictionlog.Record) (scores []float64, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			scores, err = nil, panicError(cause)
		}
	}()
	frame, err := predictionlog.Frame(records, p.Schema().Features)
	if err != nil {
		return nil, err
	}
	scores, err = p.Predict(ctx, frame)
	if err != nil {
		return nil, err
	}
	return scores, checkScores(p.Schema(), scores, len(records))
}

// checkScores refuses what is not the prediction of so many rows.
func checkScores(schema model.Schema, scores []float64, rows int) error {
	width := schema.Width()
	switch {
	case len(scores) == rows*width:
	case width == 1:
		return fmt.Errorf("the predictor gave %d scores for %d rows", len(scores), rows)
	default:
		return fmt.Errorf("the predictor gave %d scores for %d rows; expected %d for each", len(scores), rows, width)
	}
	regression := schema.TaskOf() == stats.Regression
	for i, s := range scores {
		switch {
		case regression && (math.IsNaN(s) || math.IsInf(s, 0)):
			return fmt.Errorf("the predictor gave a number for row %d that is not finite", i)
		case !regression && !(s >= 0 && s <= 1):
			return fmt.Errorf("the predictor gave a score for row %d that is no probability", i/width)
		}
	}
	if schema.TaskOf() != stats.Multiclass {
		return nil
	}
	for i := range rows {
		sum := 0.0
		for _, p := range scores[i*width : (i+1)*width] {
			sum += p
		}
		if math.Abs(sum-1) > model.SumTolerance {
			return fmt.Errorf("the predictor gave probabilities for row %d that do not sum to 1", i)
		}
	}
	return nil
}

// panicError keeps a runtime error's text, which describes the program. Any other panic may carry a row's values.
func panicError(cause any) error {
	if e, ok := cause.(runtime.Error); ok {
		return fmt.Errorf("the predictor panicked: %w", e)
	}
	return fmt.Errorf("the predictor panicked with a %T", cause)
}

func (c *call) newRecords(v *version) []predictionlog.Record {
	records := make([]predictionlog.Record, c.req.count())
	for i := range records {
		id := c.req.ID
		if len(records) > 1 {
			id += "/" + strconv.Itoa(i)
		}
		records[i] = predictionlog.Record{Time: c.start.UTC(), ID: id, Key: c.key, Version: v.number, Role: v.role}
	}
	return records
}

// failures500 gives records of a version's failure on the rows of template.
func (g *Gateway) failures500(c *call, v *version, template []predictionlog.Record, why error) []predictionlog.Record {
	records := c.newRecords(v)
	for i := range records {
		records[i].Status, records[i].Error = http.StatusInternalServerError, why.Error()
		records[i].Features = template[i].Features
		records[i].LatencyMicros = g.cfg.Now().Sub(c.start).Microseconds()
	}
	return records
}

// record makes the evidence safe before anything is answered.
func (g *Gateway) record(c *call, records []predictionlog.Record) error {
	err := errNoJournal
	if c.dep.journal != nil {
		err = c.dep.journal.predictions.Append(records...)
	}
	if err == nil {
		return nil
	}
	g.metrics.logFailures.WithLabelValues(c.dep.model).Inc()
	g.cfg.Logger.Error("a prediction was withheld because it could not be recorded", "model", c.dep.model, "error", err)
	return problem(http.StatusServiceUnavailable, "model %q: the prediction could not be recorded and is not given without; the operator must make room in the gateway's spool or make it writable", c.dep.model)
}

func (c *call) response(scores []float64, fellBack bool) *inferResponse {
	return &inferResponse{
		ModelName:    c.dep.model,
		ModelVersion: strconv.Itoa(c.answered.number),
		ID:           c.req.ID,
		Parameters:   inferParameters{Role: c.answered.role, Fallback: fellBack},
		Outputs:      c.outputs(scores),
	}
}

// outputs are those that were asked for, in the model's order.
func (c *call) outputs(scores []float64) []outputTensor {
	schema := c.answered.instance.predictor.Schema()
	rows := len(scores) / schema.Width()
	out := []outputTensor{} // null in JSON would be no list
	for _, o := range outputsOf(schema) {
		if !c.req.wants(o.Name) {
			continue
		}
		tensor := outputTensor{Name: o.Name, Shape: append([]int{rows}, o.Shape[1:]...), Datatype: o.Datatype, Data: scores}
		if o.Name == classOutput {
			tensor.Data, tensor.Texts = nil, make([]string, rows)
			for i := range tensor.Texts {
				_, tensor.Texts[i] = summary(schema, scores, i)
			}
		}
		out = append(out, tensor)
	}
	return out
}
