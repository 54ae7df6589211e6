package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/table"
)

const (
	mostRestarts = 5 // in a row, without an answered batch in between
	firstBackoff = 200 * time.Millisecond
	lastBackoff  = 10 * time.Second
	grace        = 5 * time.Second // between SIGTERM and SIGKILL; nothing is at work by then
	ownFolders   = 64 << 10        // bytes of disk for the folders that every run has, such as its HOME
)

// server is a model whose answers come from a program.
type server struct {
	name    string // the program, as the spec has it
	schema  model.Schema
	want    expected // of an answer
	set     settings
	command program.Command // but for the port
	env     map[string]string
	folder  *runFolder
	client  *http.Client
	log     *slog.Logger
	batcher

	state     sync.Mutex // guards what follows
	current   *running   // nil while none is ready
	changed   chan struct{}
	failed    *StartError
	fruitless int // restarts since the last answered batch
	restarts  int
	usage     program.Usage
	closing   bool

	callers  sync.WaitGroup // at Predict
	stopping context.Context
	stop     context.CancelFunc
	kept     chan struct{}  // closed when nothing runs any more and nothing will
	checks   sync.WaitGroup // whether a server that was too slow is alive
	closed   func() error   // waits, stops the program, removes its folder; once
}

// running is one start of the program, which is ready.
type running struct {
	process *program.Process
	url     string
}

func (l *Loader) serve(ctx context.Context, ref artifact.Ref, m model.Served) (Model, error) {
	set, err := settingsOf(m.Serve)
	if err != nil {
		return nil, err
	}
	scratch, err := l.scratch()
	if err != nil {
		return nil, err
	}
	folder, err := newRunFolder(scratch)
	if err != nil {
		return nil, fmt.Errorf("make a folder for its server: %w", err)
	}
	s, err := l.newServer(ctx, m, set, scratch, folder)
	if err != nil {
		return nil, errors.Join(err, folder.remove())
	}
	s.log = l.logger().With("model", ref.Digest.Short())
	first, err := s.start(ctx)
	if err != nil {
		s.stop()
		return nil, errors.Join(err, folder.remove())
	}
	s.current = first
	go s.keep(first)
	return s, nil
}

// newServer makes everything a start needs.
func (l *Loader) newServer(ctx context.Context, m model.Served, set settings, scratch string, folder *runFolder) (*server, error) {
	if err := l.copyOf(ctx, m.Code, scratch, folder.code); err != nil {
		return nil, fmt.Errorf("fetch its code: %w", err)
	}
	path, err := l.Policy.Resolve(set.Run[0], folder.code)
	if err != nil {
		return nil, &StartError{Kind: Refused, Program: set.Run[0], Err: err}
	}
	if err := l.copyOf(ctx, m.Files, scratch, folder.files); err != nil {
		return nil, fmt.Errorf("fetch its files: %w", err)
	}
	policy := l.Policy
	policy.WallTime = 0
	if policy.DiskBytes > 0 {
		given, err := allocated(folder.path)
		if err != nil {
			return nil, err
		}
		policy.DiskBytes += given + ownFolders
	}
	cpus := runtime.NumCPU()
	if policy.CPUs > 0 {
		cpus = min(cpus, policy.CPUs)
	}
	env := maps.Clone(set.Environment)
	if env == nil {
		env = map[string]string{}
	}
	env["ASSAY_TASK"] = string(m.Inputs.TaskOf())
	if len(m.Inputs.Classes) > 0 {
		env["ASSAY_CLASSES"] = textList(m.Inputs.Classes)
	}
	env["SM_MODEL_DIR"] = folder.files
	env["SM_NUM_CPUS"] = strconv.Itoa(cpus)
	env["CUDA_VISIBLE_DEVICES"] = l.Devices

	stopping, stop := context.WithCancel(context.Background())
	s := &server{
		name: set.Run[0], schema: m.Inputs, want: expectedOf(m.Inputs, set.positive), set: set, folder: folder, env: env,
		command: program.Command{Path: path, Dir: folder.code, Folder: folder.path, Policy: policy, Grace: grace},
		client:  newClient(set.InFlight),
		changed: make(chan struct{}), kept: make(chan struct{}), stopping: stopping, stop: stop,
	}
	s.batcher = batcher{batchRows: set.BatchRows, inFlight: set.InFlight, width: m.Inputs.Width(), ask: s.ask}
	s.closed = sync.OnceValue(s.shutDown)
	return s, nil
}

func (s *server) Schema() model.Schema { return s.schema }

// Predict gives what model.Predictor says of the schema's task. Errors are *StartError, *AnswerError,
// *RequestError, ErrClosed, ctx's, and those of a frame that lacks a feature.
func (s *server) Predict(ctx context.Context, f *table.Frame) ([]float64, error) {
	s.state.Lock()
	if s.closing {
		s.state.Unlock()
		return nil, ErrClosed
	}
	s.callers.Add(1)
	s.state.Unlock()
	defer s.callers.Done()

	r, err := rowsOf(s.schema, f)
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	if r.count() == 0 {
		return []float64{}, nil
	}
	return s.score(ctx, r)
}

func (s *server) Usage() program.Usage {
	s.state.Lock()
	defer s.state.Unlock()
	return s.usage
}

func (s *server) Restarts() int {
	s.state.Lock()
	defer s.state.Unlock()
	return s.restarts
}

func (s *server) Failed() error {
	s.state.Lock()
	defer s.state.Unlock()
	if s.failed == nil {
		return nil
	}
	return s.failed
}

func (s *server) Close() error {
	s.state.Lock()
	s.closing = true
	s.state.Unlock()
	return s.closed()
}

func (s *server) shutDown() error {
	s.callers.Wait()
	s.stop()
	s.batches.Wait()
	s.checks.Wait()
	<-s.kept
	s.client.CloseIdleConnections()
	if err := s.folder.remove(); err != nil {
		return fmt.Errorf("close model: remove its server's folder: %w", err)
	}
	return nil
}

// ready waits until a program is ready.
func (s *server) ready(ctx context.Context) (*running, error) {
	for {
		s.state.Lock()
		r, failed, changed := s.current, s.failed, s.changed
		s.state.Unlock()
		switch {
		case failed != nil:
			return nil, failed
		case r != nil && !r.ended():
			return r, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *running) ended() bool {
	select {
	case <-r.process.Done():
		return true
	default:
		return false
	}
}

// announce changes what ready waits for.
func (s *server) announce(r *running, failed *StartError) {
	s.state.Lock()
	defer s.state.Unlock()
	s.current, s.failed = r, failed
	close(s.changed)
	s.changed = make(chan struct{})
}

// answered notes that the program is of use.
func (s *server) answered() {
	s.state.Lock()
	defer s.state.Unlock()
	s.fruitless = 0
}

// keep starts the program again whenever it ends, until the model is closed or it is given up.
func (s *server) keep(r *running) {
	defer close(s.kept)
	for r != nil {
		select {
		case <-r.process.Done():
		case <-s.stopping.Done():
			r.process.Stop(ErrClosed)
		}
		end := s.ended(r.process)
		s.announce(nil, nil)
		s.client.CloseIdleConnections()
		if s.stopping.Err() != nil {
			return
		}
		r = s.restart(end)
	}
}

// ended waits for the end of a process and counts what it took.
func (s *server) ended(p *program.Process) error {
	usage, err := p.Wait()
	s.state.Lock()
	defer s.state.Unlock()
	s.usage.CPU += usage.CPU
	s.usage.Wall += usage.Wall
	s.usage.PeakMemoryBytes = max(s.usage.PeakMemoryBytes, usage.PeakMemoryBytes)
	return err
}

// restart gives a new run, or nil when the model was closed or its program is given up.
func (s *server) restart(why error) *running {
	for {
		if why == nil {
			why = errors.New("it exited with status 0")
		}
		s.state.Lock()
		tries := s.fruitless
		if tries < mostRestarts {
			s.fruitless++
			s.restarts++
		}
		s.state.Unlock()
		if tries == mostRestarts {
			s.log.Error("serve: the model's server is given up", "program", s.name, "error", why)
			s.announce(nil, &StartError{Kind: GaveUp, Program: s.name, Tries: mostRestarts + 1, Err: why})
			return nil
		}
		wait := min(firstBackoff<<tries, lastBackoff)
		s.log.Warn("serve: the model's server ended and is started again", "program", s.name, "after", wait, "error", why)
		if pause(s.stopping, wait, nil) != nil {
			return nil
		}
		r, err := s.start(s.stopping)
		if s.stopping.Err() != nil {
			return s.dropped(r)
		}
		if err == nil {
			s.announce(r, nil)
			return r
		}
		why = err
	}
}

// dropped ends a run that came too late.
func (s *server) dropped(r *running) *running {
	if r != nil {
		r.process.Kill(ErrClosed)
		_ = s.ended(r.process)
	}
	return nil
}

// output hands a line of the program to the log.
func (s *server) output(line []byte, truncated bool) {
	if !s.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	s.log.Debug("model server: "+strings.ToValidUTF8(string(line), "\uFFFD"), "program", s.name, "truncated", truncated)
}
