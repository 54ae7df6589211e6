package gateway

import (
	"fmt"
	"net/http"

	"github.com/assay-ml/assay/internal/predictionlog"
)

type labelsRequest struct {
	Labels []struct {
		ID    string `json:"id"`
		Label string `json:"label"`
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
		if !d.isClass(l.Label) {
			return nil, problem(http.StatusBadRequest, `label %d: expected a "label" of the target's two values%s`, i, d.classes())
		}
		entries[i] = predictionlog.Label{ID: l.ID, Label: l.Label}
	}
	return entries, nil
}

// isClass reports whether a label is one of the target's two values; before a version is loaded any text may be.
func (d *deployment) isClass(label string) bool {
	for _, v := range d.versions() {
		if v.loaded() {
			s := v.instance.predictor.Schema()
			return label == s.Positive || label == s.Negative
		}
	}
	return label != ""
}

func (d *deployment) classes() string {
	for _, v := range d.versions() {
		if v.loaded() {
			s := v.instance.predictor.Schema()
			return fmt.Sprintf(", %q or %q", s.Negative, s.Positive)
		}
	}
	return ""
}
