package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/assay-ml/assay/internal/program"
)

const (
	portTries     = 3
	pingLimit     = 2 * time.Second
	firstPingWait = 20 * time.Millisecond
	lastPingWait  = 250 * time.Millisecond
)

// start runs the program and waits until it is ready. A port that another program takes between the look and the
// program's own attempt is not the program's fault, so another one is tried.
func (s *server) start(ctx context.Context) (*running, error) {
	for try := 1; ; try++ {
		r, err := s.startOnce(ctx)
		var end *program.End
		if try < portTries && ctx.Err() == nil && errors.As(err, &end) && portTaken(end) {
			continue
		}
		return r, err
	}
}

func (s *server) startOnce(ctx context.Context) (*running, error) {
	port, release, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("find a free port for the model's server: %w", err)
	}
	c := s.command
	number := strconv.Itoa(port)
	filled := strings.NewReplacer("{port}", number, "{model_dir}", s.folder.files)
	for _, arg := range s.set.Run[1:] {
		c.Args = append(c.Args, filled.Replace(arg))
	}
	env := maps.Clone(s.env)
	env["PORT"], env["SAGEMAKER_BIND_TO_PORT"] = number, number
	c.Env = program.Environment(c.Policy, s.folder.path, c.Path, env)
	c.Output = s.output
	p, err := program.Start(context.Background(), c)
	if err != nil {
		release()
		var refusal *program.Refusal
		if errors.As(err, &refusal) {
			return nil, &StartError{Kind: Refused, Program: s.name, Err: err}
		}
		return nil, fmt.Errorf("start the model's server %q: %w", s.name, err)
	}
	go func() {
		<-p.Done()
		release()
	}()
	r := &running{process: p, url: "http://127.0.0.1:" + number}
	if err := s.untilReady(ctx, r, port); err != nil {
		return nil, err
	}
	return r, nil
}

// untilReady waits for the first /ping that the program answers with 200. When there is none, the program has ended.
func (s *server) untilReady(ctx context.Context, r *running, port int) error {
	deadline := time.Now().Add(s.set.readyWithin)
	wait := firstPingWait
	var last error
	for {
		err := s.ping(ctx, r, min(pingLimit, time.Until(deadline)))
		if err == nil && !listens(r.process.Pid(), port) {
			err = errForeign
		}
		if last == nil || !errors.Is(err, context.DeadlineExceeded) {
			last = err
		}
		switch {
		case r.ended():
			return &StartError{Kind: Ended, Program: s.name, Err: s.ended(r.process)}
		case err == nil:
			return nil
		case ctx.Err() != nil:
			r.process.Kill(ctx.Err())
			_ = s.ended(r.process)
			return fmt.Errorf("wait for the model's server %q to be ready: %w", s.name, ctx.Err())
		case time.Now().After(deadline):
			r.process.Kill(errors.New("it was not ready in time"))
			return &StartError{Kind: NotReady, Program: s.name, Within: s.set.readyWithin, Last: last.Error(), Err: s.ended(r.process)}
		}
		_ = pause(ctx, min(wait, max(0, time.Until(deadline))), r.process.Done())
		wait = min(2*wait, lastPingWait)
	}
}

// ping asks once whether the program is ready; the error says what it answered.
func (s *server) ping(ctx context.Context, r *running, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/ping", nil)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("the last one got no answer: %w", ctx.Err())
	case err != nil:
		return reason(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, mostSaid))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the last one gave status %d", resp.StatusCode)
	}
	return nil
}

var errForeign = errors.New("another program answers on the port it was given")

// ports are those given to programs of this process; two that start at once must not be sent to the same one.
var ports = struct {
	sync.Mutex
	given map[int]bool
}{given: map[int]bool{}}

// freePort finds a port of 127.0.0.1 on which nobody listens.
func freePort() (port int, release func(), err error) {
	ports.Lock()
	defer ports.Unlock()
	for {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, nil, err
		}
		port = ln.Addr().(*net.TCPAddr).Port
		ln.Close()
		if ports.given[port] {
			continue
		}
		ports.given[port] = true
		return port, func() {
			ports.Lock()
			defer ports.Unlock()
			delete(ports.given, port)
		}, nil
	}
}
