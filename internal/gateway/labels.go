package gateway

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

type labelsRequest struct {
	Labels []struct {
		ID    string          `json:"id"`
		Label json.RawMessage `json:"label"` // a text, a truth value or a number
	} `json:"labels"`
}

// labels takes what later turned out to be true: 202 once all of it is recorded, otherwise nothing is. Whether a
// prediction of that id exists is not asked, since it may have been given by another gateway.
func (g *Gateway) labels(w http.ResponseWriter, r *http.Request) {
	n, err := g.takeLabels(w, r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	g.metrics.labels.WithLabelValues(r.PathValue("model")).Add(float64(n))
	writeJSON(w, http.StatusAccepted, map[string]int{"accepted": n})
}

func (g *Gateway) takeLabels(w http.ResponseWriter, r *http.Request) (int, error) {
	leave, err := g.enter(r.Context())
	if err != nil {
		return 0, err
	}
	defer leave()
	st, release := g.hold()
	defer release()
	d, err := g.deployed(st, r.PathValue("model"))
	if err != nil {
		return 0, err
	}
	var req labelsRequest
	if err := readJSON(w, r, g.cfg.MaxBody, &req); err != nil {
		return 0, about(d.model, err)
	}
	entries, err := d.checkLabels(req)
	if err != nil {
		return 0, about(d.model, err)
	}
	now := g.cfg.Now().UTC()
	for i := range entries {
		entries[i].Time = now
	}
	err = errNoJournal
	if d.journal != nil {
		err = d.journal.labels.Append(entries...)
	}
	if err != nil {
		g.metrics.logFailures.WithLabelValues(d.model).Inc()
		g.cfg.Logger.Error("labels were refused because they could not be recorded", "model", d.model, "error", err)
		return 0, problem(http.StatusServiceUnavailable, "model %q: the labels could not be recorded; send them again once the operator has made room in the gateway's spool or made it writable", d.model)
	}
	return len(entries), nil
}

func (d *deployment) checkLabels(req labelsRequest) ([]predictionlog.Label, error) {
	if len(req.Labels) == 0 {
		return nil, problem(http.StatusBadRequest, `the request has no labels; expected {"labels": [{"id": "...", "label": "..."}]}`)
	}
	entries := make([]predictionlog.Label, len(req.Labels))
	for i, l := range req.Labels {
		if l.ID == "" || len(l.ID) > maxID+len("/4294967295") {
			return nil, problem(http.StatusBadRequest, `label %d: expected an "id", that of a prediction`, i)
		}
		label, ok := d.label(l.Label)
		if !ok {
			return nil, problem(http.StatusBadRequest, `label %d: expected a "label" %s`, i, d.labelsExpected())
		}
		entries[i] = predictionlog.Label{ID: l.ID, Label: label}
	}
	return entries, nil
}

// label gives a label as the log keeps it: a class by its name, a number as table.NumberText has it. It must be one of the
// target's values; before a version is loaded any may be.
func (d *deployment) label(raw json.RawMessage) (string, bool) {
	text, number, ok := readLabel(raw)
	if !ok {
		return "", false
	}
	s, known := d.schema()
	switch {
	case !known:
		return text, text != ""
	case s.TaskOf() == stats.Regression:
		return table.NumberText(number), !math.IsNaN(number) && !math.IsInf(number, 0)
	case s.TaskOf() == stats.Multiclass:
		return text, slices.Contains(s.Classes, text)
	default:
		return text, text == s.Positive || text == s.Negative
	}
}

// readLabel reads a JSON text, truth value or number as the text that names a value of the target. number is NaN when it
// is none.
func readLabel(raw json.RawMessage) (text string, number float64, ok bool) {
	number = math.NaN()
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return "", number, false
	}
	switch v := v.(type) {
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			number = f
		}
		return v, number, true
	case bool:
		return strconv.FormatBool(v), number, true
	case float64:
		return table.NumberText(v), v, true
	}
	return "", number, false
}

// schema is that of a version which is loaded.
func (d *deployment) schema() (model.Schema, bool) {
	for _, v := range d.versions() {
		if v.loaded() {
			return v.instance.predictor.Schema(), true
		}
	}
	return model.Schema{}, false
}

func (d *deployment) labelsExpected() string {
	s, known := d.schema()
	switch {
	case !known:
		return "of the target's values"
	case s.TaskOf() == stats.Regression:
		return "that is a finite number"
	case s.TaskOf() == stats.Multiclass:
		return fmt.Sprintf("of the target's %d classes, %s", len(s.Classes), table.Listed(s.Classes))
	default:
		return fmt.Sprintf("of the target's two values, %q or %q", s.Negative, s.Positive)
	}
}
