package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"

	"github.com/assay-ml/assay/internal/synthetic"
)

// traffic sends generated applications to the gateway, some to a request.
type traffic struct {
	address string
	seed    uint64
	drift   float64
	sent    int
	next    func() (synthetic.Application, bool)
}

const rowsPerRequest = 5

func newTraffic(gateway, model string, seed uint64) *traffic {
	return &traffic{address: gateway + "/v2/models/" + model + "/infer", seed: seed}
}

// instances is a request in the gateway's row form.
type instances struct {
	ID        string           `json:"id"`
	Instances []map[string]any `json:"instances"`
}

// request takes the next applications.
func (t *traffic) request(id string, rows int) instances {
	if t.next == nil {
		t.next, _ = iter.Pull(synthetic.Applications(synthetic.Options{Rows: 1_000_000, Seed: t.seed, Drift: t.drift}))
	}
	r := instances{ID: id}
	for range rows {
		a, _ := t.next()
		r.Instances = append(r.Instances, complete(a))
	}
	return r
}

// complete is an application as a caller sends it: every column named, null where unknown. The decision is not known yet.
func complete(a synthetic.Application) map[string]any {
	row := map[string]any{}
	for _, name := range synthetic.Columns {
		row[name] = a.Values[name]
	}
	delete(row, "approved")
	return row
}

// send sends so many rows and stops at the first request that is not answered.
func (t *traffic) send(ctx context.Context, rows int) error {
	for ; rows > 0; rows -= rowsPerRequest {
		t.sent++
		if err := t.post(ctx, t.request(fmt.Sprintf("demo-%d-%d", t.seed, t.sent), min(rows, rowsPerRequest))); err != nil {
			return err
		}
	}
	return nil
}

func (t *traffic) post(ctx context.Context, r instances) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("send generated traffic: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("send generated traffic: the gateway answered %s: %s", answer.Status, text)
	}
	return nil
}
