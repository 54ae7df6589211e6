package labelling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/sealed"
)

const (
	answersFolder = "labels/answers"
	answersFormat = "assay/labels/v1"
)

// Label is what a person says of a row.
type Label struct {
	Row     int64     `json:"row"`
	Value   string    `json:"value"` // a class of the request, or a decimal number as it was written
	By      string    `json:"by"`
	Time    time.Time `json:"time"`
	Request string    `json:"request"` // ID of the request that was answered
}

// labels is the document that holds all labels of a test set.
type labels struct {
	Format  string          `json:"format"`
	Model   string          `json:"model"`
	TestSet artifact.Digest `json:"test_set"`
	Column  string          `json:"column"`
	Labels  []Label         `json:"labels"` // by row, ascending
}

// AnswersName is the document of a test set's labels.
func AnswersName(model string, testSet artifact.Digest) string {
	return answersFolder + "/" + model + "/" + testSet.Hex() + ".json"
}

func answers(s artifact.Store, model string, testSet artifact.Digest) sealed.Document[labels] {
	return sealed.Document[labels]{Store: s, Name: AnswersName(model, testSet), Check: func(l labels) error { return l.check(model, testSet) }}
}

func (l labels) check(model string, testSet artifact.Digest) error {
	if l.Format != answersFormat {
		return fmt.Errorf("format %q: expected %q; a newer program may have written it", l.Format, answersFormat)
	}
	if l.Model != model || l.TestSet != testSet {
		return fmt.Errorf("it holds the labels of test set %q of model %q; expected %s of model %q", l.TestSet, l.Model, testSet, model)
	}
	if err := checkLine("column", l.Column, MaxName); err != nil {
		return err
	}
	if len(l.Labels) == 0 || len(l.Labels) > MaxRows {
		return fmt.Errorf("%d labels: expected 1 to %d", len(l.Labels), MaxRows)
	}
	for i, label := range l.Labels {
		if label.Row < 1 || i > 0 && label.Row <= l.Labels[i-1].Row {
			return fmt.Errorf("row %d at place %d: expected row numbers from 1 in ascending order, each once", label.Row, i+1)
		}
		if err := label.check(); err != nil {
			return fmt.Errorf("row %d: %w", label.Row, err)
		}
	}
	return nil
}

func (l Label) check() error {
	if err := checkText("label", l.Value, MaxLabel); err != nil {
		return err
	}
	if err := checkLine("person", l.By, MaxName); err != nil {
		return err
	}
	if !isID(l.Request) || len(l.Request) != idLength {
		return fmt.Errorf("request %q: expected the id of a request", l.Request)
	}
	return checkTime(l.Time)
}

// Answers reads the labels of a test set by row, and the version of the document, which changes with every label. Without
// any label the map is empty, and the version is "".
func Answers(ctx context.Context, s artifact.Store, model string, testSet artifact.Digest) (map[int64]Label, artifact.Version, error) {
	if err := checkSet(model, testSet); err != nil {
		return nil, "", fmt.Errorf("read labels: %w", err)
	}
	l, version, err := answers(s, model, testSet).Get(ctx)
	if err != nil && !errors.Is(err, artifact.ErrNotFound) {
		return nil, "", err
	}
	return l.byRow(), version, nil
}

func (l labels) byRow() map[int64]Label {
	byRow := make(map[int64]Label, len(l.Labels))
	for _, label := range l.Labels {
		byRow[label.Row] = label
	}
	return byRow
}

// Answer is one line of a file of labels.
type Answer struct {
	Row   int64
	Label string
	Line  int // of the file, from 1; 0: unknown
}

// Progress counts the labels of a request's rows.
type Progress struct {
	Given   int // rows that have their label, whichever request brought it
	New     int // rows that this submission labelled
	Missing int // rows that still lack it
}

// Submit keeps the labels that by gave at a time in answer to a request: all of them, or none. Only Model, TestSet and ID
// of r are looked at; what was asked is read from the store. A label that a row has already may be given again.
//
// The error is a *RefusedError when answers are none that the request asks for, a *ConflictError when rows have another
// label already, and wraps artifact.ErrNotFound when there is no such request.
func Submit(ctx context.Context, s artifact.Store, r Request, given []Answer, by string, at time.Time) (Progress, error) {
	progress, err := submit(ctx, s, r, given, by, at)
	if err != nil && !errors.As(err, new(*RefusedError)) && !errors.As(err, new(*ConflictError)) {
		err = fmt.Errorf("submit labels for request %q of model %q: %w", r.ID, r.Model, err)
	}
	return progress, err
}

func submit(ctx context.Context, s artifact.Store, r Request, given []Answer, by string, at time.Time) (Progress, error) {
	if err := checkSubmit(r, by, at); err != nil {
		return Progress{}, err
	}
	r, err := read(ctx, s, r.Model, r.TestSet, r.ID)
	if err != nil {
		return Progress{}, err
	}
	given, err = r.accept(given)
	if err != nil {
		return Progress{}, err
	}
	var progress Progress
	err = answers(s, r.Model, r.TestSet).Change(ctx, func(l labels, found bool) (labels, bool, error) {
		if found && l.Column != r.Column {
			return l, false, fmt.Errorf("the labels of the test set are of column %q; expected them, not those of %q: bring a test set of its own for another column", l.Column, r.Column)
		}
		added, err := r.merge(l.byRow(), given)
		if err != nil {
			return l, false, err
		}
		l.Format, l.Model, l.TestSet, l.Column = answersFormat, r.Model, r.TestSet, r.Column
		for _, a := range added {
			l.Labels = append(l.Labels, Label{Row: a.Row, Value: a.Label, By: by, Time: at.UTC(), Request: r.ID})
		}
		slices.SortFunc(l.Labels, func(a, b Label) int { return cmp.Compare(a.Row, b.Row) })
		if len(l.Labels) > MaxRows {
			return l, false, fmt.Errorf("the test set would have %d labels; expected at most %d", len(l.Labels), MaxRows)
		}
		progress = r.progress(l.byRow())
		progress.New = len(added)
		return l, len(added) > 0, nil
	})
	if err != nil {
		return Progress{}, err
	}
	return progress, nil
}

func checkSubmit(r Request, by string, at time.Time) error {
	if err := checkSet(r.Model, r.TestSet); err != nil {
		return err
	}
	if !isID(r.ID) || len(r.ID) != idLength {
		return fmt.Errorf("request %q: expected an id of %d hexadecimal digits", r.ID, idLength)
	}
	if err := checkLine("person", by, MaxName); err != nil {
		return err
	}
	return checkTime(at)
}

func (r Request) progress(byRow map[int64]Label) Progress {
	var p Progress
	for _, row := range r.Rows {
		if _, given := byRow[row]; given {
			p.Given++
		}
	}
	p.Missing = len(r.Rows) - p.Given
	return p
}

// accept checks answers against what was asked and gives one for each row, with labels as they are kept.
func (r Request) accept(given []Answer) ([]Answer, error) {
	first := make(map[int64]Answer, len(given))
	var accepted []Answer
	var refused RefusedError
	for _, a := range given {
		text, err := r.acceptOne(a, first)
		if err != nil {
			refused.add(Problem{a.Line, a.Row, err.Error()})
			continue
		}
		a.Label = text
		if _, again := first[a.Row]; !again {
			first[a.Row] = a
			accepted = append(accepted, a)
		}
	}
	if refused.Count > 0 {
		return nil, &refused
	}
	return accepted, nil
}

func (r Request) acceptOne(a Answer, first map[int64]Answer) (string, error) {
	if _, asked := slices.BinarySearch(r.Rows, a.Row); !asked {
		return "", fmt.Errorf("request %s does not ask for it", r.ID)
	}
	text, err := r.answer(a.Label)
	if err != nil {
		return "", err
	}
	if before, again := first[a.Row]; again && !r.same(before.Label, text) {
		return "", fmt.Errorf("it is there twice, as %q%s and as %q", before.Label, onLine(before.Line), text)
	}
	return text, nil
}

func onLine(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(" on line %d", line)
}

// same reports whether two labels mean the same: 1 and 1.0 do where numbers are asked for.
func (r Request) same(a, b string) bool {
	if !r.Numeric {
		return a == b
	}
	x, isNumber := parseNumber(a)
	y, areNumbers := parseNumber(b)
	return a == b || isNumber && areNumbers && x == y
}

// merge gives the answers for rows that have no label yet.
func (r Request) merge(standing map[int64]Label, given []Answer) ([]Answer, error) {
	var added []Answer
	conflict := &ConflictError{Model: r.Model, TestSet: r.TestSet}
	for _, a := range given {
		label, found := standing[a.Row]
		if !found {
			added = append(added, a)
			continue
		}
		if r.same(label.Value, a.Label) {
			continue
		}
		if conflict.Count++; conflict.Count <= mostShown {
			conflict.Conflicts = append(conflict.Conflicts, Conflict{Line: a.Line, Row: a.Row, Standing: label.Value, Given: a.Label})
		}
	}
	if conflict.Count > 0 {
		return nil, conflict
	}
	return added, nil
}
