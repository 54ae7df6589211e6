package predictionlog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
)

// Options of a writer. The zero value gives the defaults named.
type Options struct {
	MaxBytes  int64            // a segment of this size is sealed; default 4 MiB
	MaxAge    time.Duration    // a segment this old is sealed; default 2 s
	SyncEvery time.Duration    // how much time a loss of power may cost; default 1 s
	Clock     func() time.Time // default time.Now
	Logger    *slog.Logger     // told of segments that cannot be sealed; default slog.Default()
	OnSeal    func()           // called after each segment that entered the store; may be nil
}

func (o Options) withDefaults() Options {
	o.MaxBytes = cmp.Or(o.MaxBytes, 4<<20)
	o.MaxAge = cmp.Or(o.MaxAge, 2*time.Second)
	o.SyncEvery = cmp.Or(o.SyncEvery, time.Second)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.OnSeal == nil {
		o.OnSeal = func() {}
	}
	return o
}

// ErrClosed is returned by writers after Close.
var ErrClosed = errors.New("the log is closed")

// maxRetired bounds the files held open while the store is away; beyond it the current segment just grows.
const maxRetired = 16

var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func badName(kind, model string) error {
	return fmt.Errorf("log of %s of model %q: expected a name of letters, digits, hyphens, dots and underscores, such as adult-income", kind, model)
}

// spool is the machinery both logs share. Entries are whole lines to it.
type spool struct {
	kind, model string
	dir         string
	store       artifact.Store
	opt         Options

	mu      sync.Mutex // guards what follows
	current *segment   // nil when nothing has been appended since the last segment
	retired []*segment // oldest first, waiting to be sealed
	closed  bool

	sealing sync.Mutex // one sealing pass at a time
	wake    chan struct{}
	stop    context.CancelFunc
	done    chan struct{}
}

func openSpool(store artifact.Store, folder, kind, model string, opt Options) (*spool, error) {
	if !modelName.MatchString(model) {
		return nil, badName(kind, model)
	}
	s := &spool{
		kind: kind, model: model, store: store, opt: opt.withDefaults(),
		dir:  filepath.Join(folder, kind, model),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err := Probe(s.dir); err != nil {
		return nil, fmt.Errorf("open the log of %s of model %q: %w", kind, model, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if err := s.sealAll(ctx); err != nil {
		s.opt.Logger.Error("sealing leftovers failed, will be tried again", "kind", kind, "model", model, "error", err)
	}
	go s.background(ctx)
	return s, nil
}

// Probe makes a spool folder and proves that a file can be written there, before anything depends on it.
func Probe(folder string) error {
	err := os.MkdirAll(folder, 0o700)
	if err == nil {
		err = writeProbe(folder)
	}
	if err != nil {
		return fmt.Errorf("prepare spool folder %s: %w; expected a folder on a local disk that this process can write to", folder, err)
	}
	return nil
}

func writeProbe(folder string) error {
	f, err := os.CreateTemp(folder, ".probe-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n")
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// append writes lines as one.
func (s *spool) append(lines []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	now := s.opt.Clock().UTC()
	if s.current != nil && s.current.day != now.Format(time.DateOnly) {
		s.retire()
	}
	if s.current == nil {
		seg, err := createSegment(s.dir, now)
		if err != nil {
			return fmt.Errorf("record %s of model %q: %w; make room in the spool %s or make it writable", s.kind, s.model, err, s.dir)
		}
		s.current = seg
	}
	if broken, err := s.current.write(lines); err != nil {
		if broken {
			s.retire()
		}
		return fmt.Errorf("record %s of model %q: %w; make room in the spool %s or make it writable", s.kind, s.model, err, s.dir)
	}
	if s.current.size >= s.opt.MaxBytes && len(s.retired) < maxRetired {
		s.retire()
	}
	return nil
}

// retire hands the current segment to the sealer. The caller holds mu.
func (s *spool) retire() {
	s.retired = append(s.retired, s.current)
	s.current = nil
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *spool) background(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(min(s.opt.SyncEvery, s.opt.MaxAge))
	defer tick.Stop()
	var last string
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
		s.retireOld()
		err := errors.Join(s.syncCurrent(), s.sealAll(ctx))
		if err != nil && err.Error() != last && ctx.Err() == nil {
			s.opt.Logger.Error("keeping the log failed, will be tried again", "kind", s.kind, "model", s.model, "error", err)
		}
		last = fmt.Sprint(err)
	}
}

func (s *spool) retireOld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.opt.Clock().Sub(s.current.opened) >= s.opt.MaxAge && len(s.retired) < maxRetired {
		s.retire()
	}
}

// syncCurrent syncs without holding mu, so that no answer waits for the disk. The segment cannot be closed
// meanwhile: only sealAll closes segments, and it holds sealing.
func (s *spool) syncCurrent() error {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	s.mu.Lock()
	seg := s.current
	var size int64
	if seg != nil {
		size = seg.size
	}
	s.mu.Unlock()
	if seg == nil || seg.synced == size {
		return nil
	}
	if err := seg.sync(size); err != nil {
		return fmt.Errorf("sync %s: %w", seg.path, err)
	}
	return nil
}

// sealAll puts every retired segment and every leftover of a dead process into the store.
func (s *spool) sealAll(ctx context.Context) error {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	s.mu.Lock()
	waiting := slices.Clone(s.retired)
	s.mu.Unlock()

	var errs []error
	for _, seg := range waiting {
		if err := s.seal(ctx, seg); err != nil {
			errs = append(errs, err)
			continue
		}
		s.mu.Lock()
		s.retired = slices.DeleteFunc(s.retired, func(r *segment) bool { return r == seg })
		s.mu.Unlock()
	}
	return errors.Join(append(errs, s.sealLeftovers(ctx))...)
}

func (s *spool) sealLeftovers(ctx context.Context) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("look for leftovers in the spool: %w", err)
	}
	var errs []error
	for _, e := range entries {
		seg, err := openLeftover(filepath.Join(s.dir, e.Name()))
		if err != nil {
			errs = append(errs, fmt.Errorf("take over spool file %s: %w", e.Name(), err))
		}
		if seg == nil {
			continue
		}
		if err := s.seal(ctx, seg); err != nil {
			errs = append(errs, err, seg.file.Close())
		}
	}
	return errors.Join(errs...)
}

// seal puts one segment into the store and removes its file. Killed anywhere, it can be done again: the name and
// the bytes are the same.
func (s *spool) seal(ctx context.Context, seg *segment) error {
	data, err := seg.content()
	if err != nil {
		return err
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	if len(data) == 0 {
		return seg.discard()
	}
	name := segmentName(s.kind, s.model, seg.day, seg.name)
	_, err = s.store.PutIfAbsent(ctx, name, data)
	if errors.Is(err, artifact.ErrExists) {
		err = s.sameInStore(ctx, name, data, seg.path)
	} else if err == nil {
		s.opt.OnSeal()
	}
	if err != nil {
		return fmt.Errorf("seal spool file %s as %s: %w", seg.path, name, err)
	}
	return seg.discard()
}

// sameInStore accepts a segment that was sealed before its file could be removed.
func (s *spool) sameInStore(ctx context.Context, name string, data []byte, path string) error {
	stored, _, err := s.store.Get(ctx, name)
	if err != nil {
		return err
	}
	if !bytes.Equal(stored, data) {
		return fmt.Errorf("the store %s holds other bytes under that name; compare them with %s and remove the file by hand", s.store, path)
	}
	return nil
}

func segmentName(kind, model, day, name string) string {
	return kind + "/" + model + "/" + day + "/" + name + ".jsonl"
}

// flush seals everything appended before the call.
func (s *spool) flush(ctx context.Context) error {
	s.mu.Lock()
	if s.current != nil {
		s.retire()
	}
	s.mu.Unlock()
	return s.sealAll(ctx)
}

// close refuses further entries and seals the rest. What cannot be sealed stays in the spool for the next process.
func (s *spool) close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.stop()
	<-s.done
	err := s.flush(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.retired {
		err = errors.Join(err, seg.file.Sync(), seg.file.Close())
	}
	s.retired = nil
	return err
}
