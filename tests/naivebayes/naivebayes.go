// Package naivebayes is a user's own training program for tests: Gaussian naive Bayes of two or more classes, or linear
// regression, on the numeric columns of a CSV, under SageMaker's conventions, with checkpoints, and the server that answers
// for what it trained. A test binary becomes the program when it is started with TEST_ROLE set, so that no test needs another
// language.
//
// What it trains does not depend on how often it was killed and resumed.
package naivebayes

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Role is the environment variable that turns a test binary into the program: train or serve.
const Role = "TEST_ROLE"

// Main is the program where Role is set, and returns at once where it is not.
func Main() {
	var err error
	switch role := os.Getenv(Role); role {
	case "":
		return
	case "train":
		err = train()
	case "serve":
		err = serve()
	case "metric":
		err = metric()
	default:
		err = fmt.Errorf("%s is %q; expected train, serve or metric", Role, role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// sums are what a class's rows add up to, by column.
type sums struct {
	Rows    float64            `json:"rows"`
	Count   map[string]float64 `json:"count"`
	Sum     map[string]float64 `json:"sum"`
	Squares map[string]float64 `json:"squares"`
}

// state is a checkpoint, and when every row is in it the model.
type state struct {
	Task      string  `json:"task"`
	Step      int     `json:"step"`
	Smoothing float64 `json:"smoothing"`
	Classes   []sums  `json:"classes,omitempty"` // negative, positive; or those of ASSAY_CLASSES
	Linear    *linear `json:"linear,omitempty"`  // of a regression
}

// parameters as the program gets them: --name value.
func parameters() map[string]string {
	p := map[string]string{}
	for i := 1; i+1 < len(os.Args); i += 2 {
		if len(os.Args[i]) > 2 && os.Args[i][:2] == "--" {
			p[os.Args[i][2:]] = os.Args[i+1]
		}
	}
	return p
}

func number(text string, otherwise float64) float64 {
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return v
	}
	return otherwise
}

// train goes through the rows in steps of as many as the parameter rows says.
func train() error {
	p := parameters()
	if code := number(p["exit"], 0); code != 0 {
		fmt.Println("the last words of the program")
		os.Exit(int(code))
	}
	rows, err := read(filepath.Join(os.Getenv("SM_CHANNEL_TRAIN"), "train.csv"))
	if err != nil {
		return err
	}
	s, err := begin(rows, p["smoothing"])
	if err != nil {
		return err
	}
	size := int(number(p["rows"], 100))
	delay := time.Duration(number(p["delay"], 0) * float64(time.Second))
	checkpoint := filepath.Join(os.Getenv("ASSAY_CHECKPOINT_DIR"), "state.json")
	if err := load(checkpoint, &s); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.Step > 0 {
		fmt.Printf("{\"resumed_from_step\": %d}\n", s.Step)
	}
	steps := (len(rows) + size - 1) / size
	for ; s.Step < steps; s.Step++ {
		for _, r := range rows[s.Step*size : min((s.Step+1)*size, len(rows))] {
			s.add(r)
		}
		done := s
		done.Step++
		if err := save(checkpoint, done); err != nil {
			return err
		}
		fmt.Printf("{\"checkpoint\": \"state.json\", \"step\": %d, \"total\": %d, %s}\n", done.Step, steps, done.report(rows[:min(size, len(rows))]))
		time.Sleep(delay)
	}
	if s.Linear != nil {
		if err := s.Linear.solve(s.Smoothing); err != nil {
			return err
		}
	}
	if p["nan"] != "" {
		fmt.Println(`{"validation_accuracy": NaN}`)
	} else if err := validate(s); err != nil {
		return err
	}
	return save(filepath.Join(os.Getenv("SM_MODEL_DIR"), "model.json"), s)
}

// begin is the state before the first row.
func begin(rows []row, smoothing string) (state, error) {
	var s state
	switch task := os.Getenv("ASSAY_TASK"); task {
	case "regression":
		s = state{Task: task, Smoothing: number(smoothing, 1e-9), Linear: newLinear(rows)}
	case "multiclass", "binary", "":
		s = state{Task: task, Smoothing: number(smoothing, 1e-3), Classes: make([]sums, 2)}
		if task == "multiclass" {
			names, err := classes()
			if err != nil {
				return s, err
			}
			s.Classes = make([]sums, len(names))
		}
	default:
		return s, fmt.Errorf("ASSAY_TASK is %q; expected binary, multiclass or regression", task)
	}
	for i := range s.Classes {
		s.Classes[i] = sums{Count: map[string]float64{}, Sum: map[string]float64{}, Squares: map[string]float64{}}
	}
	return s, nil
}

// classes are the target's values.
func classes() ([]string, error) {
	var names []string
	if err := json.Unmarshal([]byte(os.Getenv("ASSAY_CLASSES")), &names); err != nil {
		return nil, fmt.Errorf("read ASSAY_CLASSES: %w", err)
	}
	return names, nil
}

// validate reports accuracy, or the error of a regression, on the validation channel.
func validate(s state) error {
	folder := os.Getenv("SM_CHANNEL_VALIDATION")
	if folder == "" {
		return nil
	}
	rows, err := read(filepath.Join(folder, "validation.csv"))
	if err != nil {
		return err
	}
	if s.Linear != nil {
		fmt.Printf("{\"validation_rmse\": %g}\n", s.Linear.rmse(rows))
		return nil
	}
	right := 0
	for _, r := range rows {
		if s.decide(r.values) == r.class {
			right++
		}
	}
	fmt.Printf("{\"validation_accuracy\": %g}\n", float64(right)/float64(len(rows)))
	return nil
}

type row struct {
	class  int     // in state.Classes
	target float64 // of a regression
	values map[string]float64
}

// read takes the columns whose values are numbers.
func read(path string) ([]row, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	target := os.Getenv("ASSAY_TARGET")
	switch os.Getenv("ASSAY_TASK") {
	case "regression":
		return parse(f, target, func(r *row, cell string) (err error) {
			r.target, err = strconv.ParseFloat(cell, 64)
			return err
		})
	case "multiclass":
		names, err := classes()
		if err != nil {
			return nil, err
		}
		return parse(f, target, func(r *row, cell string) error {
			if r.class = place(names, cell); r.class < 0 {
				return fmt.Errorf("the target %q has a value that is not in ASSAY_CLASSES", target)
			}
			return nil
		})
	}
	positive := os.Getenv("ASSAY_POSITIVE")
	return parse(f, target, func(r *row, cell string) error {
		if cell == positive {
			r.class = 1
		}
		return nil
	})
}

// place finds a class by its name; CSV writes the class 1 of a column of fractions as 1.0.
func place(names []string, cell string) int {
	if i := slices.Index(names, cell); i >= 0 {
		return i
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		return -1
	}
	return slices.Index(names, strconv.FormatFloat(v, 'g', -1, 64))
}

// parse reads the rows of a CSV with a header line; label takes in the cell of the target.
func parse(r io.Reader, target string, label func(r *row, cell string) error) ([]row, error) {
	records, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, record := range records[1:] {
		out := row{values: map[string]float64{}}
		for j, cell := range record {
			if records[0][j] == target {
				if err := label(&out, cell); err != nil {
					return nil, err
				}
				continue
			}
			if v, err := strconv.ParseFloat(cell, 64); err == nil {
				out.values[records[0][j]] = v
			}
		}
		rows = append(rows, out)
	}
	return rows, nil
}

func (s *state) add(r row) {
	if s.Linear != nil {
		s.Linear.add(r)
		return
	}
	c := &s.Classes[r.class]
	c.Rows++
	for name, v := range r.values { // each column adds to numbers of its own: the order does not matter
		c.Count[name]++
		c.Sum[name] += v
		c.Squares[name] += v * v
	}
}

// logDensity is the log-likelihood of a row in a class.
func (s *state) logDensity(c sums, values map[string]float64) float64 {
	total := math.Log(c.Rows + 1)
	for name, sum := range c.Sum {
		v, ok := values[name]
		if !ok {
			continue
		}
		mean := sum / c.Count[name]
		variance := max(c.Squares[name]/c.Count[name]-mean*mean, 0) + s.Smoothing*(1+mean*mean)
		total += -0.5*math.Log(variance) - (v-mean)*(v-mean)/(2*variance)
	}
	return total
}

// predict is the probability of the positive of two classes, those of several classes, or a number.
func (s *state) predict(values map[string]float64) []float64 {
	// Sums over a map differ in their last bits from run to run; nobody sees them at six digits.
	round := func(p float64) float64 { return math.Round(p*1e6) / 1e6 }
	switch {
	case s.Linear != nil:
		return []float64{s.Linear.predict(values)}
	case s.Task != "multiclass":
		return []float64{round(1 / (1 + math.Exp(s.logDensity(s.Classes[0], values)-s.logDensity(s.Classes[1], values))))}
	}
	logs := make([]float64, len(s.Classes))
	for i, c := range s.Classes {
		logs[i] = s.logDensity(c, values)
	}
	most, total := slices.Max(logs), 0.0
	for i := range logs {
		logs[i] = math.Exp(logs[i] - most)
		total += logs[i]
	}
	for i := range logs {
		logs[i] = round(logs[i] / total)
	}
	return logs
}

// decide is the class that is predicted.
func (s *state) decide(values map[string]float64) int {
	p := s.predict(values)
	if s.Task == "multiclass" {
		return slices.Index(p, slices.Max(p))
	}
	if p[0] >= 0.5 {
		return 1
	}
	return 0
}

// report is a metric of how training goes.
func (s *state) report(rows []row) string {
	if s.Linear != nil {
		return fmt.Sprintf("\"mean_target\": %g", s.Linear.mean())
	}
	total := 0.0
	for _, r := range rows {
		total += s.logDensity(s.Classes[r.class], r.values)
	}
	return fmt.Sprintf("\"log_likelihood\": %g", math.Round(total*1e3/float64(len(rows)))/1e3)
}

// save writes a whole file or none.
func save(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

func load(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// Model is what was trained, for those who compare its scores in process with those of its server.
type Model struct{ state state }

// Open reads the model.json that the program left in SM_MODEL_DIR.
func Open(path string) (*Model, error) {
	var m Model
	if err := load(path, &m.state); err != nil {
		return nil, fmt.Errorf("open the naive Bayes model: %w", err)
	}
	return &m, nil
}

// Score is the probability of the positive class given the numeric columns of one row; a missing value has no entry. It is
// for models of two classes and of regressions, whose number it gives.
func (m *Model) Score(values map[string]float64) float64 { return m.state.predict(values)[0] }

// Predict is what the server answers for one row: one number, or one for each of several classes.
func (m *Model) Predict(values map[string]float64) []float64 { return m.state.predict(values) }

// Answer predicts the rows of a CSV with a header line, as the server does with the body of a request: the numbers of all
// rows one after the other.
func (m *Model) Answer(body io.Reader) ([]float64, error) {
	rows, err := parse(body, "", nil)
	if err != nil {
		return nil, err
	}
	answers := make([]float64, 0, len(rows))
	for i := range rows {
		answers = append(answers, m.Predict(rows[i].values)...)
	}
	return answers, nil
}

// serve answers for the model.
func serve() error {
	m, err := Open(filepath.Join(os.Getenv("SM_MODEL_DIR"), "model.json"))
	if err != nil {
		return err
	}
	http.HandleFunc("GET /ping", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /invocations", func(w http.ResponseWriter, r *http.Request) {
		answers, err := m.Answer(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		var predictions any = answers
		if m.state.Task == "multiclass" {
			predictions = slices.Collect(slices.Chunk(answers, len(m.state.Classes)))
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"predictions": predictions})
	})
	return http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
