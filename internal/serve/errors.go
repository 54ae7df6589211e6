package serve

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/program"
)

// ErrClosed is returned by Predict after Close.
var ErrClosed = errors.New("predict: the model was closed")

// StartKind says why a model's program does not serve.
type StartKind string

const (
	Refused  StartKind = "refused"   // the worker does not run it; the error wraps a *program.Refusal
	Ended    StartKind = "ended"     // it ended before it was ready; the error wraps a *program.End when it did not succeed
	NotReady StartKind = "not_ready" // it did not answer GET /ping with 200 in time
	GaveUp   StartKind = "gave_up"   // it ended again and again
)

// StartError is the error of a model whose program does not serve.
type StartError struct {
	Kind    StartKind
	Program string        // as the spec names it
	Within  time.Duration // NotReady: the time it had
	Tries   int           // GaveUp: how often it was started without an answered batch
	Last    string        // NotReady: what the last /ping gave
	Err     error
}

// Error says what happened, shows the program's last lines, and says what to do.
func (e *StartError) Error() string {
	switch e.Kind {
	case Refused:
		return fmt.Sprintf("start the model's server: %v", e.Err)
	case NotReady:
		return fmt.Sprintf("start the model's server %q: it did not answer GET /ping with status 200 within %s (%s). "+
			"Expected a server on the port that {port} or PORT says, on 127.0.0.1; where it needs longer to read its model, raise serve.ready_within. %v",
			e.Program, e.Within, e.Last, e.Err)
	case GaveUp:
		return fmt.Sprintf("the model's server %q was started %d times without answering one batch, and is given up. Try it by hand on the model's files. The last time: %v", e.Program, e.Tries, e.Err)
	}
	if e.Err == nil {
		return fmt.Sprintf("start the model's server %q: it exited with status 0 before it was ready. Expected a program that serves until it is stopped: let serve.run stay in the foreground.", e.Program)
	}
	return fmt.Sprintf("start the model's server %q: %v\nIt must serve until it is stopped. Try serve.run by hand on the model's files.", e.Program, e.Err)
}

// Unwrap is a *program.Refusal or a *program.End.
func (e *StartError) Unwrap() error { return e.Err }

// Transient reports whether the same start may succeed later: the program crashed by a signal, found its port taken, or
// the machine had no memory left. One that was not ready in time mostly listens elsewhere or needs more of it: its user
// should read so at once, not after many times serve.ready_within.
func (e *StartError) Transient() bool {
	var end *program.End
	if e.Kind != Ended || !errors.As(e.Err, &end) {
		return false
	}
	return end.Kind == program.Signalled || end.Kind == program.OutOfMemory && end.Limit == "" || portTaken(end)
}

// AnswerError is the error of an answer with status 200 that does not hold for each row what the model's task predicts: a
// probability, one for each class, or a number. It never holds values of rows.
type AnswerError struct {
	Row     int    // of the frame that was asked, from 0; -1 when the answer as a whole is at fault
	Problem string // what was found
	Advice  string // what was expected, and what to do
}

func (e *AnswerError) Error() string {
	if e.Row < 0 {
		return fmt.Sprintf("the model's server gave an answer that cannot be used: %s; %s", e.Problem, e.Advice)
	}
	return fmt.Sprintf("the model's server gave an answer that cannot be used: row %d %s; %s", e.Row, e.Problem, e.Advice)
}

// Transient is false: the same rows get the same answer.
func (e *AnswerError) Transient() bool { return false }

// RequestError is the error of a request to /invocations that got no answer with status 200.
type RequestError struct {
	Status int           // HTTP status; 0 when there was none
	Body   string        // what the server said, at most 300 bytes
	Within time.Duration // the time limit, when the request ran into it
	Err    error         // why there was no answer, when there was none
}

func (e *RequestError) Error() string {
	switch {
	case e.Within > 0:
		return fmt.Sprintf("ask the model's server: it gave no answer within %s. Lower serve.batch_rows or raise serve.time_limit.", e.Within)
	case e.Status == 0:
		return fmt.Sprintf("ask the model's server: %v", e.Err)
	}
	said := "and said nothing"
	if e.Body != "" {
		said = "and said: " + e.Body
	}
	text := fmt.Sprintf("ask the model's server: POST /invocations gave status %d %s, %s", e.Status, http.StatusText(e.Status), said)
	switch {
	case e.Status == http.StatusUnsupportedMediaType || e.Status == http.StatusNotAcceptable:
		return text + ". Choose another serve.format."
	case e.Status >= 500:
		return text + ". The worker's log at level debug has the server's own output."
	case e.Status >= 400:
		return text + ". It does not take the rows as they were sent: check serve.format, and the columns it was trained on."
	}
	return text + ". Expected status 200."
}

func (e *RequestError) Unwrap() error { return e.Err }

// Transient reports whether the same request may succeed later: after a failure of the server or of the connection, a
// time limit, or a server that asks to wait.
func (e *RequestError) Transient() bool {
	return e.Status == 0 || e.Status >= 500 || e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout
}

// portTaken reports whether a program ended because another had its port.
func portTaken(end *program.End) bool {
	tail := strings.ToLower(end.Tail)
	for _, sign := range []string{"address already in use", "address in use", "eaddrinuse", "port is already in use", "port already in use"} {
		if strings.Contains(tail, sign) {
			return true
		}
	}
	return false
}
