package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	batchTries = 3 // of one batch, when the server fails, breaks the connection or ends
	mostSaid   = 300
	aliveLimit = 5 * time.Second // for a /ping after a request ran into its time limit

	// The most bytes of an answer: for the frame around the rows, for each row, and for each further number of
	// one, such as 1.2345678901234567e-123 and its separators. A binary answer may hold a hundred of which one counts.
	answerBytes       = 1 << 20
	answerRowBytes    = 4 << 10
	answerNumberBytes = 32
)

func newClient(inFlight int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: inFlight,
			DisableCompression:  true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask sends rows in one request, and again when the server failed or ended, because predictions change nothing.
func (s *server) ask(ctx context.Context, parts []rows, once bool) ([]float64, error) {
	var body bytes.Buffer
	e := encoders[s.set.Format]
	if err := e.write(&body, s.schema.Features, parts); err != nil {
		return nil, fmt.Errorf("write a request to the model's server: %w", err)
	}
	n := 0
	for _, p := range parts {
		n += p.count()
	}
	for try := 1; ; try++ {
		r, err := s.ready(ctx)
		if err != nil {
			return nil, err
		}
		scores, err := s.post(ctx, r, e.mediaType, body.Bytes(), n)
		if err == nil {
			s.answered()
			return scores, nil
		}
		var failed *RequestError
		again := errors.As(err, &failed) && failed.Within == 0 && (failed.Status == 0 || failed.Status >= 500)
		if once || !again {
			return nil, err
		}
		if err := s.settle(ctx, r, failed, firstBackoff<<(try-1)); err != nil {
			return nil, err
		}
		if try == batchTries {
			return nil, withEnd(failed, r)
		}
	}
}

// settle waits before the next try. After a broken connection it also waits until it is known whether the program has
// ended, which may show a moment later than the connection does; one that neither ends nor answers /ping is ended.
func (s *server) settle(ctx context.Context, r *running, failed *RequestError, backoff time.Duration) error {
	if err := pause(ctx, backoff, r.process.Done()); err != nil || failed.Status != 0 {
		return err
	}
	limit := time.Now().Add(aliveLimit)
	for !r.ended() && s.ping(ctx, r, pingLimit) != nil {
		if time.Now().After(limit) {
			r.process.Kill(fmt.Errorf("it broke off a request and did not answer GET /ping within %s after it", aliveLimit))
		}
		if err := pause(ctx, firstPingWait, r.process.Done()); err != nil {
			return err
		}
	}
	return nil
}

// withEnd adds how the program ended to the error of a request that it broke off.
func withEnd(failed *RequestError, r *running) error {
	if failed.Status == 0 && r.ended() {
		if _, end := r.process.Wait(); end != nil {
			failed.Err = fmt.Errorf("it ended in the middle of the request, %d times in a row: %w", batchTries, end)
		}
	}
	return failed
}

func (s *server) post(caller context.Context, r *running, mediaType string, body []byte, n int) ([]float64, error) {
	ctx, cancel := context.WithTimeout(caller, s.set.timeLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/invocations", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", mediaType)
	req.Header.Set("Accept", "application/json")
	req.Header["X-Idempotency-Key"] = nil // not sent; it lets net/http try again when a server has closed an idle connection
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, s.broken(caller, ctx, r, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, mostSaid))
		return nil, &RequestError{Status: resp.StatusCode, Body: firstBytes(said, mostSaid)}
	}
	most := answerBytes + int64(n)*s.want.rowBytes()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, s.broken(caller, ctx, r, err)
	}
	if int64(len(answer)) > most {
		return nil, whole(fmt.Sprintf("it is larger than %d bytes for %d rows", most, n), s.want.shape())
	}
	return readAnswer(resp.Header.Get("Content-Type"), answer, n, s.want)
}

// broken says why a request got no answer. A server that ran into the time limit is looked after.
func (s *server) broken(caller, ctx context.Context, r *running, err error) error {
	switch {
	case caller.Err() != nil:
		return caller.Err()
	case ctx.Err() != nil:
		s.checks.Go(func() { s.endIfStuck(r) })
		return &RequestError{Within: s.set.timeLimit, Err: ctx.Err()}
	}
	return &RequestError{Err: reason(err)}
}

// endIfStuck ends a program that does not even answer /ping any more; it is then started again.
func (s *server) endIfStuck(r *running) {
	if err := s.ping(s.stopping, r, aliveLimit); err != nil && s.stopping.Err() == nil {
		r.process.Kill(fmt.Errorf("it did not answer a request within %s, nor GET /ping within %s after it", s.set.timeLimit, aliveLimit))
	}
}

// reason leaves out of a connection's error what people know already: method and address.
func reason(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("nothing listens on its port: %w", op.Err)
	}
	return fmt.Errorf("the connection broke: %w", err)
}
