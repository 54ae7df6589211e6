package explain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// ErrBudget is when a model would be asked about more rows than its budget has left. Nothing is asked then.
var ErrBudget = errors.New("the budget of predictions is too small")

// When a model fails, how long to look for the rows it fails on: so many rows in succession, each asked about alone, and no
// answer between, mean that it fails on all. So many calls in succession without any answer mean that asking on is no use.
const (
	mostLostRows  = 16
	mostLostCalls = 3
)

// Allowance is a model that may be asked about so many rows and no more, and about which it is known how many were asked. It is
// a model.Predictor, safe for concurrent use; a row that is asked about again counts again.
//
// Its Scores finds the rows on which the model fails: a call that fails, or takes longer than it may, is repeated on each half
// of its rows, down to single rows.
type Allowance struct {
	p       model.Predictor
	rows    int
	perCall time.Duration

	mu        sync.Mutex
	used      int
	lost      Lost
	lostRows  int // in succession, asked about alone
	lostCalls int // in succession, of Scores
}

// Lost counts rows without an answer, by why.
type Lost struct {
	Failed   int `json:"failed"`    // the model gave an error, or not one answer a row
	Late     int `json:"late"`      // it took longer than a call may
	NoNumber int `json:"no_number"` // it gave NaN, an infinite number, or no probability where one is due
}

// Total is the number of rows without an answer.
func (l Lost) Total() int { return l.Failed + l.Late + l.NoNumber }

// NewAllowance lets p be asked about rows rows, 0 meaning any number. A call may take perCall, 0 meaning any time; p has to heed
// its context for that.
func NewAllowance(p model.Predictor, rows int, perCall time.Duration) *Allowance {
	return &Allowance{p: p, rows: max(rows, 0), perCall: max(perCall, 0)}
}

// Schema is that of the model.
func (b *Allowance) Schema() model.Schema { return b.p.Schema() }

// Used is the number of rows asked about so far.
func (b *Allowance) Used() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Left is the number of rows that may still be asked about; math.MaxInt when there is no bound.
func (b *Allowance) Left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left()
}

func (b *Allowance) left() int {
	if b.rows == 0 {
		return math.MaxInt
	}
	return b.rows - b.used
}

// Lost counts the rows that had no answer so far.
func (b *Allowance) Lost() Lost {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}

// Silent reports whether the model left several calls of Scores in succession without any answer.
func (b *Allowance) Silent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lostCalls >= mostLostCalls
}

// Predict asks the model once. It fails as the model does, when the call takes too long, and with ErrBudget.
func (b *Allowance) Predict(ctx context.Context, f *table.Frame) ([]float64, error) {
	if err := b.take(f.Rows); err != nil {
		return nil, err
	}
	return b.call(ctx, f)
}

// Scores asks about every row of f: Schema().Width() numbers a row, all NaN for a row on which the model fails. A model that
// fails is no error; the end of ctx is, and so is ErrBudget, when the numbers known by then are given with it.
func (b *Allowance) Scores(ctx context.Context, f *table.Frame) ([]float64, error) {
	out := slices.Repeat([]float64{math.NaN()}, f.Rows*b.Schema().Width())
	if f.Rows == 0 {
		return out, ctx.Err()
	}
	answered, err := b.fill(ctx, f, 0, f.Rows, out)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case answered > 0:
		b.lostCalls = 0
	case err == nil:
		b.lostCalls++
	}
	return out, err
}

// fill asks about the rows from..to-1 of f and gives how many were answered.
func (b *Allowance) fill(ctx context.Context, f *table.Frame, from, to int, out []float64) (int, error) {
	part := f
	if from > 0 || to < f.Rows {
		part = rowsBetween(f, from, to)
	}
	if err := b.take(part.Rows); err != nil {
		return 0, err
	}
	answers, err := b.call(ctx, part)
	if ctx.Err() != nil {
		return 0, fmt.Errorf("ask the model about %d rows: %w", part.Rows, ctx.Err())
	}
	if err == nil {
		return b.keep(answers, part.Rows, out[from*b.Schema().Width():]), nil
	}
	if b.giveUp(part.Rows, errors.Is(err, context.DeadlineExceeded)) {
		return 0, nil
	}
	middle := from + (to-from)/2
	first, err := b.fill(ctx, f, from, middle, out)
	if err != nil {
		return first, err
	}
	second, err := b.fill(ctx, f, middle, to, out)
	return first + second, err
}

func (b *Allowance) take(rows int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rows > b.left() {
		return fmt.Errorf("ask the model about %d rows: %w: %d of %d rows are left; allow more predictions, or explain fewer rows", rows, ErrBudget, b.left(), b.rows)
	}
	b.used += rows
	return nil
}

func (b *Allowance) call(ctx context.Context, f *table.Frame) ([]float64, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ask the model about %d rows: %w", f.Rows, err)
	}
	if b.perCall > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.perCall)
		defer cancel()
	}
	answers, err := b.p.Predict(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("ask the model about %d rows: %w", f.Rows, err)
	}
	if want := f.Rows * b.Schema().Width(); len(answers) != want {
		return nil, fmt.Errorf("ask the model about %d rows: it gave %d numbers; expected %d", f.Rows, len(answers), want)
	}
	return answers, nil
}

// keep copies the rows whose answers can be used, and counts them.
func (b *Allowance) keep(answers []float64, rows int, out []float64) int {
	width, probability := b.Schema().Width(), b.Schema().TaskOf() != stats.Regression
	kept := 0
	for i := range rows {
		row := answers[i*width : (i+1)*width]
		if !slices.ContainsFunc(row, func(v float64) bool {
			return !finite(v) || probability && (v < 0 || v > 1)
		}) {
			copy(out[i*width:], row)
			kept++
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost.NoNumber += rows - kept
	b.lostRows = 0
	return kept
}

// giveUp reports whether rows that got no answer are not asked about in smaller groups, and counts them then.
func (b *Allowance) giveUp(rows int, late bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rows > 1 && b.lostRows < mostLostRows {
		return false
	}
	b.lostRows += rows
	if late {
		b.lost.Late += rows
	} else {
		b.lost.Failed += rows
	}
	return true
}

// rowsBetween is the table of rows from..to-1, which shares its values with f.
func rowsBetween(f *table.Frame, from, to int) *table.Frame {
	out := &table.Frame{Rows: to - from, Columns: slices.Clone(f.Columns)}
	for j := range out.Columns {
		c := &out.Columns[j]
		if c.Kind == table.Numeric {
			c.Numbers = c.Numbers[from:to]
		} else {
			c.Codes = c.Codes[from:to]
		}
	}
	return out
}
