//go:build crash

package crash_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/synthetic"
	"github.com/stretchr/testify/require"
)

// callers send applications under ids of their own, and keep which of them the gateway answered. That is all that a
// caller can know: what was answered must be on record, what was not may be.
type callers struct {
	t   *testing.T
	url string
	web http.Client

	mu       sync.Mutex
	sent     map[string]bool
	answered map[string]float64 // score by id
	last     time.Time          // of an answer
	refused  map[int]int        // answers that were no predictions, by status
}

func newCallers(l *life) *callers {
	return &callers{
		t: l.t, url: fmt.Sprintf("http://127.0.0.1:%d/v2/models/%s/infer", l.gateway, l.model), web: http.Client{Timeout: 10 * time.Second},
		sent: map[string]bool{}, answered: map[string]float64{}, refused: map[int]int{},
	}
}

// count is how many requests were answered.
func (c *callers) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.answered)
}

// lastAnswer is when the last answer came.
func (c *callers) lastAnswer() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// flow keeps several requests on their way until stop is called, also while nobody answers.
func (c *callers) flow(name string) (stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	var group sync.WaitGroup
	for n := range 4 {
		group.Go(func() {
			next, end := iter.Pull(synthetic.Applications(synthetic.Options{Rows: 1_000_000, Seed: uint64(100 + n)}))
			defer end()
			pace := time.NewTicker(4 * time.Millisecond)
			defer pace.Stop()
			for i := 0; ctx.Err() == nil; i++ {
				row, _ := next()
				_ = c.ask(context.WithoutCancel(ctx), fmt.Sprintf("%s-%d-%d", name, n, i), row)
				select {
				case <-pace.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return func() {
		cancel()
		group.Wait()
	}
}

// send sends applications one after the other, all of which must be answered.
func (c *callers) send(name string, o synthetic.Options) {
	c.t.Helper()
	i := 0
	for row := range synthetic.Applications(o) {
		i++
		require.NoError(c.t, c.ask(c.t.Context(), fmt.Sprintf("%s-%d", name, i), row))
	}
}

func (c *callers) ask(ctx context.Context, id string, a synthetic.Application) error {
	body, err := json.Marshal(map[string]any{"id": id, "instances": []any{complete(a)}})
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.sent[id] = true
	c.mu.Unlock()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.web.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.refused[response.StatusCode]++
		return fmt.Errorf("the gateway answered %s: %s", response.Status, text)
	}
	var answer struct {
		Outputs []struct {
			Data []float64 `json:"data"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("read the answer to %s: %w", id, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered[id], c.last = answer.Outputs[0].Data[0], time.Now()
	return nil
}

// complete is an application as a caller sends it: every column named, null where unknown.
func complete(a synthetic.Application) map[string]any {
	row := map[string]any{}
	for _, name := range synthetic.Columns {
		row[name] = a.Values[name]
	}
	delete(row, "approved")
	return row
}

// requireAnswersOrPatience checks that callers were never told anything but a prediction or to ask again.
func (c *callers) requireAnswersOrPatience() {
	c.t.Helper()
	delete(c.refused, http.StatusServiceUnavailable)
	require.Empty(c.t, c.refused, "answers by status")
}

// requireOnRecord checks the sealed log: every answer stands there once, with the score that was given, and nothing
// that nobody asked.
func (c *callers) requireOnRecord(l *life) {
	c.t.Helper()
	var found map[string]int
	var scores map[string]float64
	read := func() {
		found, scores = map[string]int{}, map[string]float64{}
		require.NoError(c.t, predictionlog.Read(c.t.Context(), l.store, l.model, time.Time{}, time.Time{}, func(r predictionlog.Record) error {
			require.NotNil(c.t, r.Score, "no prediction failed")
			found[r.ID]++
			scores[r.ID] = *r.Score
			return nil
		}))
	}
	await(c.t, "every prediction that was answered is in the sealed log", calm, func() bool {
		read()
		for id := range c.answered {
			if found[id] == 0 {
				return false
			}
		}
		return true
	})
	for id, n := range found {
		require.Equal(c.t, 1, n, "prediction %s is on record more than once", id)
		require.True(c.t, c.sent[id], "prediction %s is on record and was never asked for", id)
		if score, ok := c.answered[id]; ok {
			require.Equal(c.t, score, scores[id], "prediction %s is on record with another score than was given", id)
		}
	}
}
