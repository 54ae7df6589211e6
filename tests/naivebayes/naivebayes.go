// Package naivebayes is a user's own training program for tests: Gaussian naive Bayes on the numeric columns of a CSV,
// under SageMaker's conventions, with checkpoints, and the server that answers for what it trained. A test binary becomes
// the program when it is started with TEST_ROLE set, so that no test needs another language.
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
	default:
		err = fmt.Errorf("%s is %q; expected train or serve", Role, role)
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
	Step      int     `json:"step"`
	Smoothing float64 `json:"smoothing"`
	Classes   [2]sums `json:"classes"` // negative, positive
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
	size := int(number(p["rows"], 100))
	delay := time.Duration(number(p["delay"], 0) * float64(time.Second))
	checkpoint := filepath.Join(os.Getenv("ASSAY_CHECKPOINT_DIR"), "state.json")
	s := state{Smoothing: number(p["smoothing"], 1e-3)}
	for i := range s.Classes {
		s.Classes[i] = sums{Count: map[string]float64{}, Sum: map[string]float64{}, Squares: map[string]float64{}}
	}
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
		fmt.Printf("{\"checkpoint\": \"state.json\", \"step\": %d, \"total\": %d, \"log_likelihood\": %g}\n", done.Step, steps, done.likelihood(rows[:min(size, len(rows))]))
		time.Sleep(delay)
	}
	if p["nan"] != "" {
		fmt.Println(`{"validation_accuracy": NaN}`)
	} else if err := validate(s); err != nil {
		return err
	}
	return save(filepath.Join(os.Getenv("SM_MODEL_DIR"), "model.json"), s)
}

// validate reports accuracy on the validation channel.
func validate(s state) error {
	folder := os.Getenv("SM_CHANNEL_VALIDATION")
	if folder == "" {
		return nil
	}
	rows, err := read(filepath.Join(folder, "validation.csv"))
	if err != nil {
		return err
	}
	right := 0
	for _, r := range rows {
		if (s.score(r.values) >= 0.5) == r.positive {
			right++
		}
	}
	fmt.Printf("{\"validation_accuracy\": %g}\n", float64(right)/float64(len(rows)))
	return nil
}

type row struct {
	positive bool
	values   map[string]float64
}

// read takes the columns whose values are numbers.
func read(path string) ([]row, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parse(f, os.Getenv("ASSAY_TARGET"), os.Getenv("ASSAY_POSITIVE"))
}

func parse(r io.Reader, target, positive string) ([]row, error) {
	records, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, record := range records[1:] {
		out := row{values: map[string]float64{}}
		for j, cell := range record {
			if records[0][j] == target {
				out.positive = cell == positive
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
	c := &s.Classes[0]
	if r.positive {
		c = &s.Classes[1]
	}
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

func (s *state) score(values map[string]float64) float64 {
	// Sums over a map differ in their last bits from run to run; nobody sees them at six digits.
	p := 1 / (1 + math.Exp(s.logDensity(s.Classes[0], values)-s.logDensity(s.Classes[1], values)))
	return math.Round(p*1e6) / 1e6
}

func (s *state) likelihood(rows []row) float64 {
	total := 0.0
	for _, r := range rows {
		c := s.Classes[0]
		if r.positive {
			c = s.Classes[1]
		}
		total += s.logDensity(c, r.values)
	}
	return math.Round(total*1e3/float64(len(rows))) / 1e3
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

// Score is the probability of the positive class given the numeric columns of one row; a missing value has no entry.
func (m *Model) Score(values map[string]float64) float64 { return m.state.score(values) }

// Answer scores the rows of a CSV with a header line, as the server does with the body of a request.
func (m *Model) Answer(body io.Reader) ([]float64, error) {
	rows, err := parse(body, "", "")
	if err != nil {
		return nil, err
	}
	scores := make([]float64, len(rows))
	for i := range rows {
		scores[i] = m.Score(rows[i].values)
	}
	return scores, nil
}

// serve answers for the model.
func serve() error {
	m, err := Open(filepath.Join(os.Getenv("SM_MODEL_DIR"), "model.json"))
	if err != nil {
		return err
	}
	http.HandleFunc("GET /ping", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /invocations", func(w http.ResponseWriter, r *http.Request) {
		scores, err := m.Answer(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"predictions": scores})
	})
	return http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
