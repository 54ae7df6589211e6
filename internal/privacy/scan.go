package privacy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/assay-ml/assay/internal/stats"
)

// PersonalKind says what personal data a column seems to hold.
type PersonalKind string

// Kinds of personal data. Values decide on the first group, where a name of the column can add to them; names of columns and
// the way values are spread decide on the second.
const (
	Email        PersonalKind = "email"
	Phone        PersonalKind = "phone"
	PaymentCard  PersonalKind = "payment_card"
	IBAN         PersonalKind = "iban"
	NationalID   PersonalKind = "national_id"
	HealthNumber PersonalKind = "health_number"
	IPAddress    PersonalKind = "ip_address"
	MACAddress   PersonalKind = "mac_address"
	URLUser      PersonalKind = "url_with_user" // an address of the web with a user's name or password in it
	Position     PersonalKind = "position"      // latitude and longitude

	PersonName    PersonalKind = "person_name"
	PostalAddress PersonalKind = "postal_address"
	DateOfBirth   PersonalKind = "date_of_birth"
	AccountName   PersonalKind = "account_name" // a user's or customer's name or number
	Identifier    PersonalKind = "identifier"   // nearly every row has a value of its own
	FreeText      PersonalKind = "free_text"    // sentences, which can hold anything
)

// Certainty grades a finding. The rule that gave it is in the finding.
type Certainty string

// Grades, from the strongest.
const (
	Certain  Certainty = "certain"  // the values cannot be explained by chance or by another meaning
	Likely   Certainty = "likely"   // the values or the name say so, and another meaning is conceivable
	Possible Certainty = "possible" // a hint: a name, few values, or values that single rows out
)

func (c Certainty) rank() int { return slices.Index([]Certainty{Certain, Likely, Possible}, c) }

// ScanVerdict is what a finding, or all of them, mean for a gate.
type ScanVerdict string

// Verdicts of a scan.
const (
	ScanPass         ScanVerdict = "pass"         // nothing found, or all of it declared fine
	ScanFail         ScanVerdict = "fail"         // certain and not declared fine
	ScanInconclusive ScanVerdict = "inconclusive" // likely or possible and not declared fine: a person has to look
)

// MetricPersonalColumns is the number of columns with a certain or likely finding that nobody declared fine, of those the model
// is given.
const MetricPersonalColumns = "personal_data_columns"

// ScanColumn is a column to scan: numbers, NaN where missing, or text as codes into distinct levels, -1 where missing.
type ScanColumn struct {
	Name    string
	Numbers []float64
	Codes   []int32
	Levels  []string
}

// TextColumn codes a column of text for a scan; empty texts are missing.
func TextColumn(name string, values []string) ScanColumn {
	c := ScanColumn{Name: name, Codes: make([]int32, len(values))}
	codes := map[string]int32{}
	for i, v := range values {
		if v == "" {
			c.Codes[i] = -1
			continue
		}
		code, ok := codes[v]
		if !ok {
			code = int32(len(c.Levels))
			codes[v], c.Levels = code, append(c.Levels, v)
		}
		c.Codes[i] = code
	}
	return c
}

func (c ScanColumn) rows() int { return max(len(c.Numbers), len(c.Codes)) }

// ScanOptions says what to scan and where the lines are drawn. The zero value scans all rows and takes the defaults.
type ScanOptions struct {
	Allow   []string // columns that people have declared fine: they are scanned, and do not count in the verdict
	Unread  []string // columns that the model is not given: they are scanned, and do not count in the verdict either
	MaxRows int      // rows to draw at random without replacement; 0 scans all
	Seed    uint64   // of the draw
	Level   float64  // confidence of the intervals, in (0, 1); 0 takes 0.95

	// MatchShare is the share of the values of a shape that has to pass the check before a finding is certain, in (0, 1];
	// 0 takes 0.8, which leaves room for typing errors and place holders.
	MatchShare float64
	// UniqueShare is the share of distinct values, in (0, 1], from which a column behaves like an identifier; 0 takes 0.95.
	UniqueShare float64
	// TextLength is the mean length in bytes from which words with spaces count as free text; 0 takes 40.
	TextLength float64
}

// Finding is evidence that a column holds personal data. It never holds a value of a row.
type Finding struct {
	Column    string       `json:"column"`
	Kind      PersonalKind `json:"kind"`
	Country   string       `json:"country,omitempty"` // of a national number, ISO 3166
	Certainty Certainty    `json:"certainty"`
	Rule      string       `json:"rule"`             // why this certainty
	Source    string       `json:"source,omitempty"` // the standard that defines the check
	Named     bool         `json:"named"`            // the name of the column says so too

	Rows       int            `json:"rows"`             // rows whose value matches
	Share      stats.Estimate `json:"share"`            // of the rows with a value, Wilson interval
	Candidates int            `json:"candidates"`       // distinct values of the shape
	Fitting    int            `json:"fitting"`          // distinct values of the shape that pass the check
	Chance     float64        `json:"chance,omitempty"` // share of random values of the shape that would pass

	Allowed bool        `json:"allowed"`          // declared fine
	Unread  bool        `json:"unread,omitempty"` // the model is not given the column
	Verdict ScanVerdict `json:"verdict"`
}

// ScanReport lists what was found, in the order of the columns and from the strongest in each.
type ScanReport struct {
	Rows        int         `json:"rows"`
	RowsScanned int         `json:"rows_scanned"`
	Columns     int         `json:"columns"`
	Findings    []Finding   `json:"findings"`
	Verdict     ScanVerdict `json:"verdict"`
	Reason      string      `json:"reason"`
	Metrics     []Metric    `json:"metrics"`
}

func (o ScanOptions) filled() (ScanOptions, error) {
	for _, share := range []struct {
		name  string
		value *float64
		usual float64
		most  float64
	}{{"MatchShare", &o.MatchShare, 0.8, 1}, {"UniqueShare", &o.UniqueShare, 0.95, 1}, {"TextLength", &o.TextLength, 40, math.MaxFloat64}} {
		if *share.value == 0 {
			*share.value = share.usual
		}
		if !(*share.value > 0 && *share.value <= share.most) {
			return o, fmt.Errorf("the option %s is %v; expected a number above 0 and at most %g, or 0 for the usual one", share.name, *share.value, share.most)
		}
	}
	if o.Level == 0 {
		o.Level = 0.95
	}
	if !(o.Level > 0 && o.Level < 1) {
		return o, fmt.Errorf("the option Level is %v; expected a number between 0 and 1, or 0 for the usual one", o.Level)
	}
	if o.MaxRows < 0 {
		return o, fmt.Errorf("the option MaxRows is %d; expected a number of rows, or 0 for all", o.MaxRows)
	}
	return o, nil
}

func checkColumns(columns []ScanColumn, o ScanOptions) error {
	names := map[string]bool{}
	for _, c := range columns {
		switch {
		case names[c.Name]:
			return fmt.Errorf("two columns have the name %q; give every column its own", c.Name)
		case c.Numbers != nil && c.Codes != nil:
			return fmt.Errorf("column %q has numbers and codes; expected one of them", c.Name)
		case c.rows() != columns[0].rows():
			return fmt.Errorf("column %q has %d rows and column %q has %d; expected as many", c.Name, c.rows(), columns[0].Name, columns[0].rows())
		}
		names[c.Name] = true
		for i, code := range c.Codes {
			if code < -1 || int(code) >= len(c.Levels) {
				return fmt.Errorf("column %q has code %d in row %d; expected -1 or an index of its %d levels", c.Name, code, i, len(c.Levels))
			}
		}
	}
	for _, name := range o.Allow {
		if !names[name] {
			return fmt.Errorf("column %q is declared fine and is not in the table; take it off the list or correct its name", name)
		}
	}
	for _, name := range o.Unread {
		if !names[name] {
			return fmt.Errorf("column %q is kept from the model and is not in the table; take it off the list or correct its name", name)
		}
	}
	return nil
}

// Scan looks for personal data in columns before a model is trained on them: in the values, in the names of columns, and in
// how values are spread. People's names and addresses are found by the column's name alone, since their values have no
// form. Scan reads at most 4,096 bytes of a value.
//
// Numbers with a check digit are judged by a test, not by a single match: one in ten of all numbers passes a check digit. A
// column is certain to hold such numbers when MatchShare of its distinct values of the right shape pass, and the exact
// lower limit of the share that passes lies above chance with error 1e-6 (Clopper and Pearson, 1934). A column of random
// 16-digit numbers, of which a tenth passes Luhn's check, gives nothing, whatever its length.
//
// It is an error when columns differ in length or share a name, when a code has no level, when an allowed or unread column does
// not exist or when an option is out of its range.
func Scan(columns []ScanColumn, o ScanOptions) (ScanReport, error) {
	o, err := o.filled()
	if err == nil {
		err = checkColumns(columns, o)
	}
	if err != nil {
		return ScanReport{}, fmt.Errorf("scan for personal data: %w", err)
	}
	r := ScanReport{Columns: len(columns), Findings: []Finding{}}
	if len(columns) > 0 {
		r.Rows = columns[0].rows()
	}
	drawn := draw(r.Rows, o.MaxRows, o.Seed)
	r.RowsScanned = r.Rows
	if drawn != nil {
		r.RowsScanned = len(drawn)
	}
	found := make([][]Finding, len(columns))
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(columns)) {
		group.Go(func() {
			for k := int(next.Add(1)) - 1; k < len(columns); k = int(next.Add(1)) - 1 {
				found[k] = scanColumn(columns[k], drawn, o)
			}
		})
	}
	group.Wait()
	r.conclude(found)
	return r, nil
}

// draw picks rows by selection sampling (Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S), in order;
// nil stands for all rows.
func draw(rows, most int, seed uint64) []int {
	if most == 0 || most >= rows {
		return nil
	}
	random := rand.New(rand.NewPCG(seed, 0))
	picked := make([]int, 0, most)
	for i := 0; len(picked) < most; i++ {
		if random.IntN(rows-i) < most-len(picked) {
			picked = append(picked, i)
		}
	}
	return picked
}

// Joined is the report on the columns of both tables, which have no column in common. Its rows are those of r.
func (r ScanReport) Joined(other ScanReport) ScanReport {
	byColumn := map[string]int{}
	var found [][]Finding
	for _, f := range slices.Concat(r.Findings, other.Findings) {
		place, ok := byColumn[f.Column]
		if !ok {
			place = len(found)
			byColumn[f.Column], found = place, append(found, nil)
		}
		found[place] = append(found[place], f)
	}
	out := ScanReport{Rows: r.Rows, RowsScanned: r.RowsScanned, Columns: r.Columns + other.Columns, Findings: []Finding{}}
	out.conclude(found)
	return out
}

func (r *ScanReport) conclude(found [][]Finding) {
	personal, failing, doubtful := 0, 0, 0
	for _, column := range found {
		counted := false
		for _, f := range column {
			counted = counted || f.Verdict != ScanPass && f.Certainty != Possible
			switch f.Verdict {
			case ScanFail:
				failing++
			case ScanInconclusive:
				doubtful++
			}
			r.Findings = append(r.Findings, f)
		}
		if counted {
			personal++
		}
	}
	switch {
	case r.RowsScanned == 0 && len(r.Findings) == 0:
		r.Verdict, r.Reason = ScanPass, "no rows to scan"
	case failing > 0:
		r.Verdict, r.Reason = ScanFail, fmt.Sprintf("%d findings are certain: exclude the columns, replace their values, or declare them fine", failing)
	case doubtful > 0:
		r.Verdict, r.Reason = ScanInconclusive, fmt.Sprintf("%d findings need a person to look: exclude the columns or declare them fine", doubtful)
	case slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Unread && !f.Allowed }):
		r.Verdict, r.Reason = ScanPass, "everything found is kept from the model or has been declared fine"
	case len(r.Findings) > 0:
		r.Verdict, r.Reason = ScanPass, "everything found has been declared fine"
	default:
		r.Verdict, r.Reason = ScanPass, "nothing found"
	}
	r.Metrics = []Metric{{MetricPersonalColumns, stats.Exact(float64(personal), r.RowsScanned)}}
}
