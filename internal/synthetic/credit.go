// Package synthetic generates loan applications whose truth is known: which quantities decide, by how much, what bias
// the historic decisions carry, and how the applicants change later. It is the source synthetic://credit of the
// demonstration and of tests; no row describes a person.
//
// # Rows
//
// Row i depends on the seed, the drift and i alone, so that a longer file begins with the shorter one, and the same
// options give the same bytes. Columns, in order:
//
//	application_id        text         A0000001, A0000002, ...; identifies the row
//	age                   integer      18 to 85 years
//	sex                   text         female, male
//	region_group          text         north (60 %), south (25 %), east (15 %); stands for an ethnicity-like group
//	income                number       yearly, in currency units, log-normal with median 42,000, at most 400,000
//	employment            text         salaried, self_employed, retired, unemployed
//	years_employed        number       0 to 45; 0 when unemployed
//	housing               text         own, mortgage, rent
//	purpose               text         car, home_improvement, debt_consolidation, education, medical, business
//	loan_amount           number       1,000 to 80,000
//	debt_to_income        number       0 to 1.5; missing in 4 % of rows, at random
//	credit_history_years  number       0 to 60; missing in 6 % of rows, at random
//	late_payments         integer      0 to 12, in the last two years
//	approved              text         yes, no: the historic decision
//
// # Truth
//
// approved is yes with probability 1 / (1 + exp(-z)), where z is Intercept plus, for every entry of Numbers,
// Weight * (x - Center) / Unit, plus, for every entry of Levels whose column has that value, Weight. Missing values are
// removed after the decision was drawn from the true ones. About 70 % of applications are approved, and the true
// probabilities separate yes from no with an area under the ROC curve of about 0.85: no model can do better.
//
// # Bias
//
// The entries of Levels for sex and region_group are the bias of historic decisions: with everything else equal,
// applications of women and of people from the region group east were approved less often. A model trained with these
// columns learns it; one trained without them does not show it, since no other column depends on the groups.
//
// # Drift
//
// Drift d (0 none, 1 strong) changes applicants, never the rule by which decisions are drawn: incomes are multiplied by
// exp(-0.5 d), the share of unemployed grows from 6 % to 6 % + 18 % d at the expense of salaried, and 0.15 d is added to
// the debt ratio.
package synthetic

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"strconv"
)

// Options choose a file of applications.
type Options struct {
	Rows  int     // 1 to 100,000,000
	Seed  uint64  // any
	Drift float64 // 0 to 1
}

// Check reports an option out of its range.
func (o Options) Check() error {
	if o.Rows < 1 || o.Rows > 100_000_000 {
		return fmt.Errorf("rows=%d; expected 1 to 100000000", o.Rows)
	}
	if !(o.Drift >= 0 && o.Drift <= 1) {
		return fmt.Errorf("drift=%g; expected 0 to 1", o.Drift)
	}
	return nil
}

// NumberEffect is the true effect of a numeric column on the log-odds: Weight * (x - Center) / Unit.
type NumberEffect struct {
	Column               string
	Weight, Center, Unit float64
}

// LevelEffect is the true effect on the log-odds of a column having a value; values not listed have none.
type LevelEffect struct {
	Column, Value string
	Weight        float64
}

// Intercept, Numbers and Levels are the truth that approved is drawn from.
const Intercept = 1.55

// Numbers lists the numeric columns that decide; loan_amount and age are weak on purpose.
var Numbers = []NumberEffect{
	{"income", 1.10, 45000, 25000},
	{"debt_to_income", -1.00, 0.40, 0.20},
	{"late_payments", -0.90, 1.0, 1.2},
	{"credit_history_years", 0.45, 12, 8},
	{"years_employed", 0.35, 8, 7},
	{"loan_amount", -0.30, 18000, 12000},
	{"age", 0.10, 43, 14},
}

// Levels lists the values that decide. Those of sex and region_group are the bias of historic decisions.
var Levels = []LevelEffect{
	{"employment", "unemployed", -1.20},
	{"employment", "self_employed", -0.30},
	{"housing", "own", 0.40},
	{"housing", "rent", -0.30},
	{"purpose", "business", -0.40},
	{"purpose", "education", 0.20},
	{"sex", "female", -0.45},
	{"region_group", "east", -0.70},
}

// Columns are the names of a file's columns, in order.
var Columns = []string{"application_id", "age", "sex", "region_group", "income", "employment", "years_employed", "housing", "purpose",
	"loan_amount", "debt_to_income", "credit_history_years", "late_payments", "approved"}

// Application is one row, with what the file does not show.
type Application struct {
	Values      map[string]any // by column: string, int64 or float64; a missing value has no entry; approved is not among them
	Approved    bool           // the historic decision
	Probability float64        // of approval, in truth
}

// Applications yields the rows of a file one by one, as a gateway would receive them.
func Applications(o Options) iter.Seq[Application] {
	return func(yield func(Application) bool) {
		for i := range o.Rows {
			d := draw(o, i)
			if !yield(d.application()) {
				return
			}
		}
	}
}

// WriteCSV writes a file of applications with a header line.
func WriteCSV(w io.Writer, o Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	for i, name := range Columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name)
	}
	b.WriteByte('\n')
	var line []byte
	for i := range o.Rows {
		d := draw(o, i)
		line = d.appendCSV(line[:0])
		if _, err := b.Write(line); err != nil {
			return err
		}
	}
	return b.Flush()
}

// applicant holds the true values of one row.
type applicant struct {
	id                                string
	age, late                         int64
	sex, region                       string
	income, years, loan, debt, credit float64
	employment, housing, purpose      string
	debtMissing, creditMissing        bool
	probability                       float64
	approved                          bool
}

func draw(o Options, i int) applicant {
	r := rand.New(rand.NewPCG(o.Seed, uint64(i)*0x9E3779B97F4A7C15))
	a := applicant{id: fmt.Sprintf("A%07d", i+1)}
	a.sex = pick(r, []string{"female", "male"}, []float64{0.48, 0.52})
	a.region = pick(r, []string{"north", "south", "east"}, []float64{0.60, 0.25, 0.15})
	a.age = int64(clamp(math.Round(43+14*r.NormFloat64()), 18, 85))
	jobless := 0.18 * o.Drift
	a.employment = pick(r, []string{"salaried", "self_employed", "retired", "unemployed"}, []float64{0.68 - jobless, 0.14, 0.12, 0.06 + jobless})
	a.income = round(clamp(42000*math.Exp(0.45*r.NormFloat64()-0.5*o.Drift), 6000, 400000), 2)
	a.years = round(clamp(9*r.ExpFloat64(), 0, math.Min(45, float64(a.age-17))), 1)
	if a.employment == "unemployed" {
		a.years = 0
	}
	a.housing = pick(r, []string{"own", "mortgage", "rent"}, []float64{0.25, 0.35, 0.40})
	a.purpose = pick(r, []string{"car", "home_improvement", "debt_consolidation", "education", "medical", "business"},
		[]float64{0.30, 0.20, 0.22, 0.10, 0.08, 0.10})
	a.loan = round(clamp(15000*math.Exp(0.6*r.NormFloat64()), 1000, 80000), 0)
	a.debt = round(clamp(0.38+0.18*r.NormFloat64()+0.15*o.Drift, 0, 1.5), 4)
	a.credit = round(clamp(float64(a.age-18)*r.Float64(), 0, 60), 1)
	for a.late < 12 && r.Float64() < 0.45 {
		a.late++
	}
	a.probability = 1 / (1 + math.Exp(-a.logOdds()))
	a.approved = r.Float64() < a.probability
	a.debtMissing = r.Float64() < 0.04
	a.creditMissing = r.Float64() < 0.06
	return a
}

func (a applicant) logOdds() float64 {
	z := Intercept
	for _, e := range Numbers {
		z += e.Weight * (a.number(e.Column) - e.Center) / e.Unit
	}
	for _, e := range Levels {
		if a.level(e.Column) == e.Value {
			z += e.Weight
		}
	}
	return z
}

func (a applicant) number(column string) float64 {
	switch column {
	case "age":
		return float64(a.age)
	case "income":
		return a.income
	case "years_employed":
		return a.years
	case "loan_amount":
		return a.loan
	case "debt_to_income":
		return a.debt
	case "credit_history_years":
		return a.credit
	case "late_payments":
		return float64(a.late)
	}
	panic("synthetic: no numeric column " + column) // unreachable: Numbers is fixed and tested
}

func (a applicant) level(column string) string {
	switch column {
	case "sex":
		return a.sex
	case "region_group":
		return a.region
	case "employment":
		return a.employment
	case "housing":
		return a.housing
	case "purpose":
		return a.purpose
	}
	panic("synthetic: no categorical column " + column) // unreachable: Levels is fixed and tested
}

func (a applicant) application() Application {
	values := map[string]any{
		"application_id": a.id, "age": a.age, "sex": a.sex, "region_group": a.region, "income": a.income,
		"employment": a.employment, "years_employed": a.years, "housing": a.housing, "purpose": a.purpose,
		"loan_amount": a.loan, "late_payments": a.late,
	}
	if !a.debtMissing {
		values["debt_to_income"] = a.debt
	}
	if !a.creditMissing {
		values["credit_history_years"] = a.credit
	}
	return Application{Values: values, Approved: a.approved, Probability: a.probability}
}

func (a applicant) appendCSV(b []byte) []byte {
	number := func(v float64, missing bool) {
		if !missing {
			b = strconv.AppendFloat(b, v, 'f', -1, 64)
		}
		b = append(b, ',')
	}
	word := func(s string) { b = append(append(b, s...), ',') }
	word(a.id)
	number(float64(a.age), false)
	word(a.sex)
	word(a.region)
	number(a.income, false)
	word(a.employment)
	number(a.years, false)
	word(a.housing)
	word(a.purpose)
	number(a.loan, false)
	number(a.debt, a.debtMissing)
	number(a.credit, a.creditMissing)
	number(float64(a.late), false)
	if a.approved {
		return append(b, "yes\n"...)
	}
	return append(b, "no\n"...)
}

func pick(r *rand.Rand, values []string, shares []float64) string {
	u := r.Float64()
	for i, share := range shares {
		if u < share {
			return values[i]
		}
		u -= share
	}
	return values[len(values)-1]
}

func clamp(v, low, high float64) float64 { return math.Min(math.Max(v, low), high) }

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}
