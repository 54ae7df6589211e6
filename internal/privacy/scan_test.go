package privacy_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/privacy"
)

func scan(t testing.TB, columns ...privacy.ScanColumn) privacy.ScanReport {
	t.Helper()
	r, err := privacy.Scan(columns, privacy.ScanOptions{})
	require.NoError(t, err)
	return r
}

// luhnDigits completes a number by its check digit.
func luhnDigits(body string) string {
	sum := 0
	for i := range body {
		d := int(body[len(body)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return body + strconv.Itoa((10-sum%10)%10)
}

func repeat(n int, format func(i int) string) []string {
	values := make([]string, n)
	for i := range values {
		values[i] = format(i)
	}
	return values
}

func cards(n int) []string {
	return repeat(n, func(i int) string { return luhnDigits(fmt.Sprintf("4%014d", i*987654321)) })
}

func TestValuesOfEachKindAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		column    string
		values    []string
		kind      privacy.PersonalKind
		country   string
		certainty privacy.Certainty
	}{
		"mail":              {"c", words("ann@example.org bob.b+x@mail.example.co.uk zoë@exämple.fr"), privacy.Email, "", privacy.Certain},
		"mail in sentences": {"c", repeat(30, func(i int) string { return fmt.Sprintf("please write to person%d@example.org, soon", i) }), privacy.Email, "", privacy.Certain},
		"mail in markup":    {"c", repeat(3, func(i int) string { return fmt.Sprintf(`<a href="mailto:p%d@example.org">x</a>`, i) }), privacy.Email, "", privacy.Certain},
		"one mail":          {"c", words("ann@example.org none none none"), privacy.Email, "", privacy.Likely},
		"cards":             {"c", cards(20), privacy.PaymentCard, "", privacy.Certain},
		"cards in groups":   {"c", repeat(20, func(i int) string { v := cards(20)[i]; return v[:4] + " " + v[4:8] + "-" + v[8:12] + " " + v[12:] }), privacy.PaymentCard, "", privacy.Certain},
		"cards in text":     {"c", repeat(20, func(i int) string { v := cards(20)[i]; return "paid by " + v[:4] + " " + v[4:8] + " " + v[8:] + "." }), privacy.PaymentCard, "", privacy.Certain},
		"account numbers":   {"c", []string{"GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "nl91abna0417164300", "NO9386011117947"}, privacy.IBAN, "", privacy.Certain},
		"accounts in text":  {"c", []string{"to GB82 WEST 1234 5698 7654 32 please", "(DE89370400440532013000)", "IBAN: NL91 ABNA 0417 1643 00", "FR14 2004 1010 0505 0001 3M02 606"}, privacy.IBAN, "", privacy.Certain},
		"two accounts":      {"c", words("DE89370400440532013000 NL91ABNA0417164300"), privacy.IBAN, "", privacy.Likely},
		"one account":       {"c", words("DE89370400440532013000"), privacy.IBAN, "", privacy.Possible},
		"world phones":      {"c", []string{"+49 170 1234567", "+1 (415) 555-2671", "+33612345678"}, privacy.Phone, "", privacy.Certain},
		"home phones":       {"c", []string{"(415) 555-2671", "06 12 34 56 78", "030/12345678", "1-415-555-2671"}, privacy.Phone, "", privacy.Likely},
		"named phones":      {"phone", words("0612345678 0612345679 0612345670"), privacy.Phone, "", privacy.Certain},
		"social security":   {"c", words("078-05-1120 219-09-9999 457-55-5462"), privacy.NationalID, "US", privacy.Likely},
		"named ssn":         {"SSN", words("078051120 219099999 457555462"), privacy.NationalID, "US", privacy.Certain},
		"spanish":           {"c", words("12345678Z X1234567L 00000000T 00000001R 00000002W"), privacy.NationalID, "ES", privacy.Certain},
		"addresses":         {"c", words("10.1.2.3 192.168.0.1 8.8.8.8"), privacy.IPAddress, "", privacy.Likely},
		"named addresses":   {"client_ip", words("10.1.2.3 192.168.0.1 8.8.8.8"), privacy.IPAddress, "", privacy.Certain},
		"long addresses":    {"c", words("2001:db8::1 fe80::1:2 ::1"), privacy.IPAddress, "", privacy.Certain},
		"hardware":          {"c", words("00:1b:44:11:3a:b7 00-1B-44-11-3A-B8 00:1b:44:11:3a:b9"), privacy.MACAddress, "", privacy.Certain},
		"url users":         {"c", words("https://ann:secret@example.org/x ftp://bob@example.org https://c:d@e.org"), privacy.URLUser, "", privacy.Certain},
		"positions":         {"c", []string{"52.5200, 13.4050", "48.8566,2.3522", "-33.8688 151.2093"}, privacy.Position, "", privacy.Likely},
		"births":            {"date of birth", words("1980-02-28 1975-11-02 1999-01-01"), privacy.DateOfBirth, "", privacy.Certain},
		"german births":     {"Geburtsdatum", words("28.02.1980 02.11.1975 01.01.1999"), privacy.DateOfBirth, "", privacy.Certain},
		"surnames":          {"Apellidos", repeat(40, func(i int) string { return "x" + strconv.Itoa(i) }), privacy.PersonName, "", privacy.Likely},
		"camel case":        {"firstName", words("a b c"), privacy.PersonName, "", privacy.Possible},
		"streets":           {"straße", words("a b c"), privacy.PostalAddress, "", privacy.Possible},
		"chinese names":     {"客户姓名", words("a b c"), "", "", ""},
		"chinese name":      {"姓名", words("a b c"), privacy.PersonName, "", privacy.Possible},
		"codes of rows":     {"c", repeat(40, func(i int) string { return "k" + strconv.Itoa(i) }), privacy.Identifier, "", privacy.Possible},
		"sentences":         {"c", repeat(40, func(i int) string { return fmt.Sprint("the patient was seen again on day ", i, " and was well") }), privacy.FreeText, "", privacy.Possible},
	} {
		t.Run(name, func(t *testing.T) {
			r := scan(t, privacy.TextColumn(c.column, c.values))
			if c.kind == "" {
				require.Empty(t, r.Findings)
				return
			}
			require.NotEmpty(t, r.Findings)
			f := r.Findings[0]
			require.Equal(t, []any{c.kind, c.country, c.certainty}, []any{f.Kind, f.Country, f.Certainty}, "%+v", r.Findings)
			require.NotEmpty(t, f.Rule)
			want := privacy.ScanInconclusive
			if f.Certainty == privacy.Certain {
				want = privacy.ScanFail
			}
			require.Equal(t, want, f.Verdict)
			require.Equal(t, want, r.Verdict)
		})
	}
}

func TestOrdinaryValuesAreNoFindings(t *testing.T) {
	for name, c := range map[string]struct {
		column string
		values []string
	}{
		"days":            {"when", repeat(300, func(i int) string { return fmt.Sprintf("%04d-%02d-%02d", 1980+i/100, i%12+1, i%28+1) })},
		"moments":         {"when", repeat(300, func(i int) string { return fmt.Sprintf("2013-08-%02d %02d:%02d:%02d", i%28+1, i%24, i%60, i*7%60) })},
		"versions":        {"v", words("1.2.3 1.10.4 2.0.0-rc1")},
		"clock":           {"at", words("12:30:45 01:02:03 23:59:59")},
		"at sign":         {"c", words("@ann x@y a@b. @ 5@7")},
		"decimals":        {"c", repeat(300, func(i int) string { return fmt.Sprintf("%.9f", math.Sqrt(float64(i))) })},
		"answers":         {"phone service", repeat(100, func(i int) string { return [...]string{"yes", "no"}[i%2] })},
		"flag":            {"email", repeat(100, func(i int) string { return [...]string{"yes", "no"}[i%2] })},
		"products":        {"product name", words("a b c a b c")},
		"plain integers":  {"n", repeat(300, func(i int) string { return strconv.Itoa(4155550000 + i/2) })},
		"ranges":          {"n", words("10-20 20-30 1000-2000 100-200")},
		"constant number": {"n", repeat(300, func(int) string { return "4111111111111111" })},
		"empty":           {"email", words("")},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "constant number" {
				// One value, however often it is repeated, is one piece of evidence: a tenth of all numbers pass.
				require.Empty(t, scan(t, privacy.TextColumn(c.column, c.values)).Findings)
				return
			}
			r := scan(t, privacy.TextColumn(c.column, c.values))
			require.Empty(t, r.Findings)
			require.Equal(t, privacy.ScanPass, r.Verdict)
		})
	}
}

func TestNumericColumnsAreReadAsDigits(t *testing.T) {
	numbers := func(values []string) []float64 {
		var out []float64
		for _, v := range values {
			f, err := strconv.ParseFloat(v, 64)
			require.NoError(t, err)
			out = append(out, f)
		}
		return append(out, math.NaN())
	}
	r := scan(t, privacy.ScanColumn{Name: "paid", Numbers: numbers(cards(50))})
	require.Equal(t, privacy.PaymentCard, r.Findings[0].Kind)
	require.Equal(t, privacy.Certain, r.Findings[0].Certainty)
	require.Equal(t, []int{50, 50, 50}, []int{r.Findings[0].Rows, r.Findings[0].Share.N, r.Findings[0].Fitting})

	// The zero in front of numbers of people born from 2000 on is lost in a numeric column.
	var people []string
	weights := []int{1, 3, 7, 9, 1, 3, 7, 9, 1, 3}
	for i := range 30 {
		body, sum := fmt.Sprintf("0%d21%02d%04d", i%10, i%28+1, i*37), 0
		for k, w := range weights {
			sum += w * int(body[k]-'0')
		}
		people = append(people, body+strconv.Itoa((10-sum%10)%10))
	}
	r = scan(t, privacy.ScanColumn{Name: "id", Numbers: numbers(people)})
	require.Equal(t, []any{privacy.NationalID, "PL", privacy.Certain}, []any{r.Findings[0].Kind, r.Findings[0].Country, r.Findings[0].Certainty})

	r = scan(t, privacy.ScanColumn{Name: "tel", Numbers: numbers(repeat(30, func(i int) string { return strconv.Itoa(4155550000 + i) }))})
	require.Equal(t, privacy.Phone, r.Findings[0].Kind)
	require.True(t, r.Findings[0].Named)
	r = scan(t, privacy.ScanColumn{Name: "amount", Numbers: []float64{math.Inf(1), -4111111111111111, 4111111111111111.5, 1e300, 0.25}})
	require.Empty(t, r.Findings)
}

// A tenth of random numbers passes Luhn's check, an eleventh the eleven test, and so on: many matches, and no evidence.
func TestRandomNumbersGiveNoFinding(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 1))
		var columns []privacy.ScanColumn
		for _, digits := range []int{9, 10, 11, 12, 13, 15, 16} {
			values := make([]float64, 20_000)
			texts := make([]string, 20_000)
			least := int64(math.Pow10(digits - 1))
			for i := range values {
				// Every number twice, so that the column does not look like an identifier.
				v := least + r.Int64N(8*least)
				if i%2 == 1 {
					v = int64(values[i-1])
				}
				values[i], texts[i] = float64(v), strconv.FormatInt(v, 10)
			}
			columns = append(columns, privacy.ScanColumn{Name: fmt.Sprint("n", digits), Numbers: values}, privacy.TextColumn(fmt.Sprint("t", digits), texts))
		}
		require.Empty(t, scan(t, columns...).Findings)
	}
}

func TestSomeCardsAmongNumbersAreLikely(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	values := cards(300)
	for range 700 {
		values = append(values, fmt.Sprintf("4%015d", r.Int64N(1e15)))
	}
	f := scan(t, privacy.TextColumn("n", values)).Findings[0]
	require.Equal(t, []any{privacy.PaymentCard, privacy.Likely}, []any{f.Kind, f.Certainty})
	// An excess over chance that a habit of numbering could make is none.
	values = values[:200]
	for i := range 8000 {
		values = append(values, fmt.Sprintf("4%015d", r.Int64N(1e15)))
		if i%2 == 1 {
			values = append(values, values[len(values)-1])
		}
	}
	require.Empty(t, scan(t, privacy.TextColumn("n", values)).Findings)
}

// A text of many numbers has many chances that one passes a check; only the first of a shape counts.
func TestLongTextsOfRandomNumbersGiveNoFinding(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	values := repeat(500, func(int) string {
		var b strings.Builder
		for range 20 {
			fmt.Fprintf(&b, "n 4%015d ", r.Int64N(1e15))
		}
		return b.String()
	})
	for _, f := range scan(t, privacy.TextColumn("n", values)).Findings {
		require.Equal(t, privacy.FreeText, f.Kind)
	}
}

func TestTheTwoZerosAreOneValue(t *testing.T) {
	r := scan(t, privacy.ScanColumn{Name: "phone", Numbers: []float64{0, math.Copysign(0, -1), 1}})
	require.Equal(t, []int{3, 2}, []int{r.Findings[0].Rows, r.Findings[0].Candidates})
}

func TestAllowedColumnsPass(t *testing.T) {
	columns := []privacy.ScanColumn{privacy.TextColumn("contact", words("a@b.org c@d.org e@f.org")), privacy.TextColumn("x", words("1 2 1"))}
	r, err := privacy.Scan(columns, privacy.ScanOptions{Allow: []string{"contact"}})
	require.NoError(t, err)
	require.Len(t, r.Findings, 1)
	require.True(t, r.Findings[0].Allowed)
	require.Equal(t, []any{privacy.ScanPass, "everything found has been declared fine", 0.0}, []any{r.Verdict, r.Reason, r.Metrics[0].Value})
	r = scan(t, columns...)
	require.Equal(t, []any{privacy.ScanFail, 1.0}, []any{r.Verdict, r.Metrics[0].Value})
}

func TestScanRefusals(t *testing.T) {
	a := privacy.TextColumn("a", words("x y"))
	for name, c := range map[string]struct {
		columns []privacy.ScanColumn
		o       privacy.ScanOptions
		message string
	}{
		"twice":   {[]privacy.ScanColumn{a, a}, privacy.ScanOptions{}, `two columns have the name "a"; give every column its own`},
		"lengths": {[]privacy.ScanColumn{a, {Name: "b", Numbers: []float64{1}}}, privacy.ScanOptions{}, `column "b" has 1 rows and column "a" has 2; expected as many`},
		"both":    {[]privacy.ScanColumn{{Name: "b", Numbers: []float64{1}, Codes: []int32{0}}}, privacy.ScanOptions{}, `column "b" has numbers and codes; expected one of them`},
		"codes":   {[]privacy.ScanColumn{{Name: "b", Codes: []int32{0, 1}, Levels: words("x")}}, privacy.ScanOptions{}, `column "b" has code 1 in row 1; expected -1 or an index of its 1 levels`},
		"allowed": {[]privacy.ScanColumn{a}, privacy.ScanOptions{Allow: words("z")}, `column "z" is declared fine and is not in the table; take it off the list or correct its name`},
		"share":   {[]privacy.ScanColumn{a}, privacy.ScanOptions{MatchShare: 2}, `the option MatchShare is 2; expected a number above 0 and at most 1, or 0 for the usual one`},
		"level":   {[]privacy.ScanColumn{a}, privacy.ScanOptions{Level: math.NaN()}, `the option Level is NaN; expected a number between 0 and 1, or 0 for the usual one`},
		"rows":    {[]privacy.ScanColumn{a}, privacy.ScanOptions{MaxRows: -1}, `the option MaxRows is -1; expected a number of rows, or 0 for all`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := privacy.Scan(c.columns, c.o)
			require.EqualError(t, err, "scan for personal data: "+c.message)
		})
	}
	r := scan(t)
	require.Equal(t, []any{privacy.ScanPass, "no rows to scan"}, []any{r.Verdict, r.Reason})
}

func TestDrawnRowsAreTheSameForASeed(t *testing.T) {
	columns := []privacy.ScanColumn{privacy.TextColumn("n", append(cards(500), repeat(500, func(i int) string { return "none" })...)), {Name: "x", Numbers: make([]float64, 1000)}}
	first, err := privacy.Scan(columns, privacy.ScanOptions{MaxRows: 200, Seed: 3})
	require.NoError(t, err)
	require.Equal(t, []int{1000, 200}, []int{first.Rows, first.RowsScanned})
	require.InDelta(t, 0.5, first.Findings[0].Share.Value, 0.15)
	before := runtime.GOMAXPROCS(1)
	again, err := privacy.Scan(columns, privacy.ScanOptions{MaxRows: 200, Seed: 3})
	runtime.GOMAXPROCS(before)
	require.NoError(t, err)
	require.Equal(t, first, again)
}

// readColumns reads a table of the shared data the way an ingest does: columns of numbers alone are numbers.
func readColumns(t *testing.T, comma rune, path ...string) []privacy.ScanColumn {
	t.Helper()
	f, err := os.Open(sharedFile(t, path...))
	require.NoError(t, err)
	defer f.Close()
	reader := csv.NewReader(f)
	reader.Comma = comma
	rows, err := reader.ReadAll()
	require.NoError(t, err)
	var columns []privacy.ScanColumn
	for k, name := range rows[0] {
		texts, numbers := []string{}, []float64{}
		for _, row := range rows[1:] {
			texts = append(texts, row[k])
			if v, err := strconv.ParseFloat(row[k], 64); err == nil {
				numbers = append(numbers, v)
			} else if row[k] == "" {
				numbers = append(numbers, math.NaN())
			}
		}
		if len(numbers) == len(texts) {
			columns = append(columns, privacy.ScanColumn{Name: name, Numbers: numbers})
		} else {
			columns = append(columns, privacy.TextColumn(name, texts))
		}
	}
	return columns
}

func TestPublicDataSetsHoldNothingCertainOrLikely(t *testing.T) {
	for name, c := range map[string]struct {
		comma rune
		path  []string
		want  []string // column and kind of what is merely possible
	}{
		"adult":  {',', []string{"data", "adult", "adult_train.csv"}, nil},
		"bank":   {';', []string{"data", "bank", "bank-additional-full.csv"}, nil},
		"compas": {',', []string{"data", "compas", "compas_two_years_noid.csv"}, []string{"id identifier"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range scan(t, readColumns(t, c.comma, c.path...)...).Findings {
				require.Equal(t, privacy.Possible, f.Certainty, "%+v", f)
				got = append(got, f.Column+" "+string(f.Kind))
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestReportsHoldNoValues(t *testing.T) {
	values := append(cards(20), "secret-person@example.org", "DE89370400440532013000", "078-05-1120")
	r := scan(t, privacy.TextColumn("c", values))
	content, err := json.Marshal(r)
	require.NoError(t, err)
	for _, v := range values {
		require.NotContains(t, string(content), v)
	}
}

func TestHugeAndBrokenTextsAreBounded(t *testing.T) {
	scan(t, privacy.TextColumn("c", []string{
		strings.Repeat("a@", 1<<20), strings.Repeat("1 ", 1<<20), strings.Repeat("://", 1<<20), strings.Repeat("DE89 ", 1<<20),
		strings.Repeat("(", 1<<20), "\xff\xfe\xff@\xff.\xff", "<script>alert('1')</script>", strings.Repeat("+", 5000), "\x00\x00\x00\x00\x00",
	}))
	r := scan(t, privacy.ScanColumn{Name: strings.Repeat("\xff", 1<<20), Codes: []int32{0}, Levels: []string{"x"}})
	_, err := json.Marshal(r)
	require.NoError(t, err)
}

func TestScanNeverPanics(t *testing.T) {
	piece := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9A-Z+@.:/() -]{0,40}`), rapid.StringMatching(`([A-Z]{2}[0-9]{2} ?|\+?[0-9]{1,5}[ .:-]|@|://|POINT\()*`),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "n")
		text := privacy.TextColumn(rapid.String().Draw(t, "name"), rapid.SliceOfN(piece, n, n).Draw(t, "texts"))
		numbers := privacy.ScanColumn{Name: text.Name + "2", Numbers: rapid.SliceOfN(rapid.Float64(), n, n).Draw(t, "numbers")}
		r, err := privacy.Scan([]privacy.ScanColumn{text, numbers}, privacy.ScanOptions{MaxRows: rapid.IntRange(0, 10).Draw(t, "rows")})
		require.NoError(t, err)
		_, err = json.Marshal(r)
		require.NoError(t, err)
		for _, f := range r.Findings {
			require.LessOrEqual(t, f.Rows, f.Share.N)
			require.LessOrEqual(t, f.Fitting, f.Candidates)
			require.LessOrEqual(t, f.Candidates, f.Share.N)
		}
	})
}
