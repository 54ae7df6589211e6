package ledger_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/ledger"
)

func TestRulesOfTheFirstUseStand(t *testing.T) {
	s := openStore(t)
	take(t, s, request(three, "a"))
	other := ledger.Rules{Adaptivity: ledger.None, Steps: 32, Reliability: 0.999, Answers: 3}
	for _, decision := range []string{"a", "b"} {
		_, err := ledger.Take(t.Context(), s, request(other, decision))
		var rules *ledger.RulesError
		require.ErrorAs(t, err, &rules)
		require.Equal(t, &ledger.RulesError{Model: model, TestSet: rows.Digest, Standing: three, Asked: other, Uses: 1}, rules)
		require.ErrorContains(t, err, "was opened with adaptivity full, steps 3, reliability 0.999, answers 3")
		require.ErrorContains(t, err, "asked for with adaptivity none, steps 32, reliability 0.999, answers 3")
		require.ErrorContains(t, err, "(it has adaptivity full, not none; steps 3, not 32): ask with the rules it was opened with, or bring a new test set")
	}
	require.Len(t, find(t, s).Uses, 1)
}

func TestLedgerThatLostUsesIsRefused(t *testing.T) {
	s := openStore(t)
	r := request(three, "a")
	r.Recorded = 1
	_, err := ledger.Take(t.Context(), s, r)
	var lost *ledger.LostError
	require.ErrorAs(t, err, &lost)
	require.True(t, lost.Absent)
	require.ErrorContains(t, err, `records 1 uses of test set `+rows.Digest.Short())
	require.ErrorContains(t, err, "is missing; it was deleted or rolled back: restore it from a backup, or bring a new test set")
	names, err := s.List(t.Context(), "ledgers")
	require.NoError(t, err)
	require.Empty(t, names, "nothing is opened anew")

	r.Recorded = 0
	take(t, s, r)
	path := filepath.Join(s.String(), ledger.Name(model, rows.Digest))
	older, err := os.ReadFile(path)
	require.NoError(t, err)
	take(t, s, request(three, "b"))
	require.NoError(t, os.WriteFile(path, older, 0o644))
	for _, decision := range []string{"a", "b", "c"} {
		r = request(three, decision)
		r.Recorded = 2
		_, err = ledger.Take(t.Context(), s, r)
		require.ErrorAs(t, err, &lost)
		require.Equal(t, &ledger.LostError{Model: model, TestSet: rows.Digest, Recorded: 2, Found: 1, Store: s.String()}, lost)
		require.ErrorContains(t, err, "has only 1")
	}
}

func TestTakeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*ledger.Request)
		want   string
	}{
		"no model":          {func(r *ledger.Request) { r.Model = "" }, "lower-case letters"},
		"model with a path": {func(r *ledger.Request) { r.Model = "../x" }, "lower-case letters"},
		"no data":           {func(r *ledger.Request) { r.Data = artifact.Ref{} }, "ref of stored rows"},
		"size below 0":      {func(r *ledger.Request) { r.Data.Size = artifact.SizeUnknown }, "ref of stored rows"},
		"no rows":           {func(r *ledger.Request) { r.Rows = 0 }, "at least one row"},
		"recorded below 0":  {func(r *ledger.Request) { r.Recorded = -1 }, "-1 recorded uses"},
		"no adaptivity":     {func(r *ledger.Request) { r.Rules.Adaptivity = "" }, `adaptivity "": expected none, firstChange or full`},
		"adaptivity":        {func(r *ledger.Request) { r.Rules.Adaptivity = "firstchange" }, `adaptivity "firstchange": expected none, firstChange or full`},
		"no steps":          {func(r *ledger.Request) { r.Rules.Steps = 0 }, "steps 0: expected 1 to 10000"},
		"too many steps":    {func(r *ledger.Request) { r.Rules.Steps = ledger.MaxSteps + 1 }, "steps 10001: expected 1 to 10000"},
		"reliability 0":     {func(r *ledger.Request) { r.Rules.Reliability = 0 }, "reliability 0: expected a number above 0 and below 1"},
		"reliability 1":     {func(r *ledger.Request) { r.Rules.Reliability = 1 }, "reliability 1: expected a number above 0 and below 1"},
		"reliability NaN":   {func(r *ledger.Request) { r.Rules.Reliability = math.NaN() }, "reliability NaN: expected"},
		"answers":           {func(r *ledger.Request) { r.Rules.Answers = 4 }, "answers 4: expected 2 (pass, fail) or 3"},
		"no key":            {func(r *ledger.Request) { r.Use.Key = "" }, `key "" of a use: expected 64`},
		"key in capitals":   {func(r *ledger.Request) { r.Use.Key = strings.ToUpper(r.Use.Key) }, "expected 64 lower-case"},
		"no lifecycle":      {func(r *ledger.Request) { r.Use.Lifecycle = "" }, "names no lifecycle"},
		"lifecycle":         {func(r *ledger.Request) { r.Use.Lifecycle = "\xff" }, "expected UTF-8"},
		"requester":         {func(r *ledger.Request) { r.Use.Requester = "\xff" }, "expected UTF-8"},
		"long requester":    {func(r *ledger.Request) { r.Use.Requester = strings.Repeat("x", ledger.MaxName+1) }, "requester of 1001 bytes: expected at most 1000"},
		"no time":           {func(r *ledger.Request) { r.Use.Time = time.Time{} }, "expected the time of the use"},
		"time far off":      {func(r *ledger.Request) { r.Use.Time = noon.AddDate(9000, 0, 0) }, "in the years 0 to 9999"},
		"a step":            {func(r *ledger.Request) { r.Use.Step = 1 }, "the ledger gives steps"},
		"a verdict":         {func(r *ledger.Request) { r.Use.Verdict = gate.Pass }, "Settle gives verdicts"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			r := request(three, "a")
			c.change(&r)
			_, err := ledger.Take(t.Context(), s, r)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "take a step of a test set of model")
			names, err := s.List(t.Context(), "ledgers")
			require.NoError(t, err)
			require.Empty(t, names)
		})
	}
}

func TestSetWithOtherRowsIsRefused(t *testing.T) {
	s := openStore(t)
	take(t, s, request(three, "a"))
	r := request(three, "b")
	r.Rows++
	_, err := ledger.Take(t.Context(), s, r)
	require.ErrorContains(t, err, "opened for 400 rows, and now it has 401")
}

func TestSettleRefuses(t *testing.T) {
	s := openStore(t)
	two := three
	two.Answers = 2
	take(t, s, request(two, "a"))
	before := find(t, s)
	for name, c := range map[string]struct {
		model string
		set   artifact.Digest
		key   string
		v     gate.Verdict
		at    time.Time
		want  string
	}{
		"model":        {"A", rows.Digest, key("a"), gate.Pass, noon, "lower-case letters"},
		"no set":       {model, artifact.Digest{}, key("a"), gate.Pass, noon, "no test set is named"},
		"key":          {model, rows.Digest, "a", gate.Pass, noon, `key "a" of a use`},
		"no verdict":   {model, rows.Digest, key("a"), "", noon, `verdict "": expected pass or fail`},
		"third answer": {model, rows.Digest, key("a"), gate.Inconclusive, noon, "opened for two answers"},
		"no time":      {model, rows.Digest, key("a"), gate.Pass, time.Time{}, "expected the time"},
	} {
		t.Run(name, func(t *testing.T) {
			err := ledger.Settle(t.Context(), s, c.model, c.set, c.key, c.v, c.at)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, before, find(t, s))
		})
	}
}

func TestInvalidateRefuses(t *testing.T) {
	s := openStore(t)
	take(t, s, request(three, "a"))
	for name, c := range map[string]struct {
		model  string
		set    artifact.Digest
		reason string
		at     time.Time
		want   string
	}{
		"model":       {"", rows.Digest, "Drift.", noon, "lower-case letters"},
		"no set":      {model, artifact.Digest{}, "Drift.", noon, "no test set is named"},
		"no reason":   {model, rows.Digest, " \n", noon, "no reason is given"},
		"long reason": {model, rows.Digest, strings.Repeat("x", ledger.MaxReason+1), noon, "reason of 4001 bytes"},
		"no UTF-8":    {model, rows.Digest, "\xff", noon, "expected UTF-8"},
		"no time":     {model, rows.Digest, "Drift.", time.Time{}, "expected the time"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ledger.Invalidate(t.Context(), s, c.model, c.set, c.reason, c.at)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, ledger.Open, find(t, s).State)
		})
	}
}

func TestFindAndListRefuse(t *testing.T) {
	s := openStore(t)
	_, err := ledger.Find(t.Context(), s, "..", rows.Digest)
	require.ErrorContains(t, err, "lower-case letters")
	_, err = ledger.Find(t.Context(), s, model, artifact.Digest{})
	require.ErrorContains(t, err, "no test set is named")
	_, err = ledger.List(t.Context(), s, "..")
	require.ErrorContains(t, err, "lower-case letters")
	for _, name := range []string{"ledgers/test-set/credit/notes.txt", "ledgers/test-set/stray.json", "ledgers/test-set/credit/deep/" + key("a") + ".json"} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			_, err := s.PutIfAbsent(t.Context(), name, []byte("x"))
			require.NoError(t, err)
			_, err = ledger.List(t.Context(), s, "")
			require.ErrorContains(t, err, `"`+name+`" is not a ledger's name`)
		})
	}
}

func TestCancelledContextStops(t *testing.T) {
	s := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := ledger.Take(ctx, s, request(three, "a"))
	require.ErrorIs(t, err, context.Canceled)
}

// rewrite stores a ledger whose content was changed by somebody who computed its digest anew.
func rewrite(t *testing.T, s *artifact.Dir, change func(string) string) {
	t.Helper()
	path := filepath.Join(s.String(), ledger.Name(model, rows.Digest))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	_, content, found := strings.Cut(string(data), `,"content":`)
	require.True(t, found)
	content = strings.TrimSuffix(content, "}\n")
	changed := change(content)
	require.NotEqual(t, content, changed, "the change must find what it replaces")
	require.NoError(t, os.WriteFile(path, []byte(`{"digest":"`+artifact.Sum([]byte(changed)).String()+`","content":`+changed+"}\n"), 0o644))
}

func replace(old, with string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, with, 1) }
}

func TestLedgerThatCannotBeIsCorrupt(t *testing.T) {
	for name, c := range map[string]struct {
		change func(string) string
		want   string
	}{
		"another format":        {replace("assay/test-set/v1", "assay/test-set/v2"), `format "assay/test-set/v2": expected "assay/test-set/v1"`},
		"unknown field":         {replace(`"format"`, `"extra":1,"format"`), `unknown field "extra"`},
		"field in capitals":     {replace(`"rows"`, `"Rows"`), "not how this content is written"},
		"field twice":           {replace(`"rows":400`, `"rows":1,"rows":400`), "not how this content is written"},
		"more after it":         {func(s string) string { return s + " {}" }, "expected a JSON object"},
		"another model":         {replace(`"model":"credit"`, `"model":"debit"`), `of model "debit"`},
		"another set":           {replace(`"test_set":"`+rows.Digest.String(), `"test_set":"`+ref("x").Digest.String()), "expected " + rows.Digest.String()},
		"no data":               {replace(`"data":{"digest":"`+rows.Digest.String(), `"data":{"digest":"`), "expected the ref of stored rows"},
		"no rows":               {replace(`"rows":400`, `"rows":0`), "at least one row"},
		"unfit rules":           {replace(`"steps":3`, `"steps":0`), "steps 0"},
		"no uses":               {func(s string) string { return s[:strings.Index(s, `"uses"`)] + `"uses":[],"state":"open"}` }, "0 uses: expected 1 to 3"},
		"more uses than steps":  {replace(`"steps":3`, `"steps":1`), "2 uses: expected 1 to 1, the steps"},
		"a step left out":       {replace(`"step":2`, `"step":3`), "use 2 has step 3"},
		"a step twice":          {replace(`"step":2`, `"step":1`), "use 2 has step 1"},
		"a decision twice":      {replace(key("b"), key("a")), "uses 1 and 2 have the same key"},
		"a key that is none":    {replace(key("b"), "b"), `use 2: key "b"`},
		"no lifecycle":          {replace("lifecycle/credit/b", ""), "use 2: the use names no lifecycle"},
		"no time":               {replace(`"time":"2026-03-01T12:00:00.123456789Z"`, `"time":"0001-01-01T00:00:00Z"`), "use 1: time"},
		"another opening":       {replace(`"opened":"2026`, `"opened":"2027`), "expected the time of the first use"},
		"unknown verdict":       {replace(`"verdict":"fail"`, `"verdict":"perhaps"`), `use 1: verdict "perhaps"`},
		"unknown state":         {replace(`"state":"open"`, `"state":"closed"`), `state "closed"`},
		"ended without why":     {replace(`"state":"open"`, `"state":"ended"`), `state "ended": expected open, or ended with when and why`},
		"open with an end":      {replace(`"state":"open"`, `"state":"open","ended":{"time":"2026-03-01T12:00:00Z","why":"passed","reason":"x"}`), "open and says when it ended"},
		"open after a pass":     {func(s string) string { return replace(`"full"`, `"firstChange"`)(replace(`"fail"`, `"pass"`)(s)) }, "a candidate passed under the adaptivity firstChange"},
		"ended before its last": {replace(`"state":"open"`, `"state":"ended","ended":{"time":"2026-03-01T12:00:00Z","why":"exhausted","reason":"x"}`), "do not bear that out"},
		"passed without a pass": {replace(`"state":"open"`, `"state":"ended","ended":{"time":"2026-03-01T12:00:00Z","why":"passed","reason":"x"}`), "do not bear that out"},
		"ended for no reason":   {replace(`"state":"open"`, `"state":"ended","ended":{"time":"2026-03-01T12:00:00Z","why":"invalidated","reason":""}`), "do not bear that out"},
		"ended at no time":      {replace(`"state":"open"`, `"state":"ended","ended":{"time":"0001-01-01T00:00:00Z","why":"invalidated","reason":"x"}`), "expected the time"},
		"null":                  {func(string) string { return "null" }, "not how this content is written"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			take(t, s, request(three, "a"))
			take(t, s, request(three, "b"))
			settle(t, s, "a", gate.Fail)
			rewrite(t, s, c.change)
			for what, err := range everyCall(t, s) {
				require.ErrorIs(t, err, artifact.ErrCorrupt, what)
				require.ErrorContains(t, err, c.want, what)
				require.ErrorContains(t, err, ledger.Name(model, rows.Digest), what)
			}
		})
	}
}

func everyCall(t *testing.T, s artifact.Store) map[string]error {
	_, found := ledger.Find(t.Context(), s, model, rows.Digest)
	_, listed := ledger.List(t.Context(), s, "")
	_, taken := ledger.Take(t.Context(), s, request(three, "a"))
	_, invalidated := ledger.Invalidate(t.Context(), s, model, rows.Digest, "Drift.", noon)
	settled := ledger.Settle(t.Context(), s, model, rows.Digest, key("a"), gate.Fail, noon)
	return map[string]error{"find": found, "list": listed, "take": taken, "invalidate": invalidated, "settle": settled}
}

func TestEveryDamageToALedgerIsCorrupt(t *testing.T) {
	s := openStore(t)
	take(t, s, request(three, "a"))
	settle(t, s, "a", gate.Fail)
	path := filepath.Join(s.String(), ledger.Name(model, rows.Digest))
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		bad := append([]byte(nil), good...)
		at := rapid.IntRange(0, len(good)-1).Draw(rt, "at")
		switch rapid.IntRange(0, 3).Draw(rt, "damage") {
		case 0:
			bad[at] ^= rapid.ByteRange(1, 255).Draw(rt, "bits")
		case 1:
			bad = bad[:at]
		case 2:
			bad = append(bad[:at], good[at+1:]...)
		case 3:
			bad = append(bad[:at], append([]byte{rapid.Byte().Draw(rt, "inserted")}, good[at:]...)...)
		}
		require.NoError(rt, os.WriteFile(path, bad, 0o644))
		for what, err := range everyCall(t, s) {
			require.ErrorIs(rt, err, artifact.ErrCorrupt, what)
		}
	})
}
