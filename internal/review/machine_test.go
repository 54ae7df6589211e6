package review

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// machine runs a review, and beside it a twin that is stored and restored before every step.
type machine struct {
	r, twin *Review
	now     time.Time
	ended   Outcome
	told    map[Timer]int
}

func (m *machine) start(t *rapid.T) {
	p := Policy{
		SeparateRequester: rapid.Bool().Draw(t, "separate"),
		Deadline:          time.Duration(rapid.IntRange(2, 50).Draw(t, "deadline")) * time.Hour,
		RemindEvery:       time.Duration(rapid.IntRange(0, 20).Draw(t, "remind")) * time.Hour,
		EscalateTo:        []string{"lead"},
	}
	p.EscalateAfter = time.Duration(rapid.Int64Range(0, int64(p.Deadline)-1).Draw(t, "escalate"))
	for i := range rapid.IntRange(1, 3).Draw(t, "seats") {
		p.Seats = append(p.Seats, Seat{fmt.Sprintf("role%d", i), rapid.IntRange(1, 2).Draw(t, "approvals")})
	}
	var err error
	m.r, err = New(p, dossier, "p0", opened)
	require.NoError(t, err)
	m.twin, err = New(p, dossier, "p0", opened)
	require.NoError(t, err)
	m.now, m.ended, m.told = opened, Open, map[Timer]int{}
}

func (m *machine) vote(t *rapid.T) {
	v := Vote{
		Reviewer: rapid.SampledFrom([]string{"p0", "p1", "P1", "p2", "p3", "p4", "p5", "p6", ""}).Draw(t, "reviewer"),
		Role:     rapid.SampledFrom([]string{"role0", "role1", "role2", "ROLE0"}).Draw(t, "role"),
		Decision: rapid.SampledFrom([]string{Approve, Approve, Approve, Approve, Approve, Approve, Approve, Reject, RequestChanges, "?"}).Draw(t, "decision"),
		Reason:   rapid.SampledFrom([]string{"a", "a", "a", "b", ""}).Draw(t, "reason"),
		Dossier:  rapid.SampledFrom([]string{dossier.String(), dossier.String(), dossier.String(), older.String()}).Draw(t, "dossier"),
	}
	before := snapshot(t, m.r)
	checked := m.r.Check(v, m.now)
	require.Equal(t, before, snapshot(t, m.r), "Check changes nothing")
	e, err := m.r.Apply(v, m.now)
	require.Equal(t, checked, err, "Check foretells Apply")
	twin, twinErr := m.twin.Apply(v, m.now)
	require.Equal(t, e, twin)
	require.Equal(t, err, twinErr)
	require.Equal(t, m.r.Outcome(), e.Outcome)
}

func (m *machine) tick(t *rapid.T) {
	actions := m.r.Tick(m.now)
	require.Equal(t, actions, m.twin.Tick(m.now))
	for _, a := range actions {
		m.told[a.Kind]++
		require.False(t, a.Due.After(m.now), "nothing is told early")
	}
	require.Empty(t, m.r.Tick(m.now), "nothing is told twice")
	require.Empty(t, m.twin.Tick(m.now))
}

func (m *machine) wait(t *rapid.T) {
	if at, _, ok := m.r.NextTimer(m.now); ok && rapid.Bool().Draw(t, "until the timer") && at.After(m.now) {
		m.now = at
		return
	}
	m.now = m.now.Add(time.Duration(rapid.Int64Range(0, int64(12*time.Hour)).Draw(t, "pause")))
}

func (m *machine) restore(t *rapid.T) {
	twin, err := Restore([]byte(snapshot(t, m.twin)))
	require.NoError(t, err)
	m.twin = twin
}

func (m *machine) check(t *rapid.T) {
	require.Equal(t, snapshot(t, m.r), snapshot(t, m.twin), "a restored review is the same review")
	m.restore(t)
	s := m.r.Status()
	if m.ended != Open {
		require.Equal(t, m.ended, s.Outcome, "an ended review never changes")
	}
	m.ended = s.Outcome
	require.LessOrEqual(t, m.told[Escalate], 1)
	require.LessOrEqual(t, m.told[Expire], 1)
	if m.told[Expire] == 1 {
		require.Equal(t, Expired, s.Outcome)
	}
	if s.Outcome == Approved {
		m.quorum(t, s)
	}
	if _, _, ok := m.r.NextTimer(m.now); !ok {
		require.NotEqual(t, Open, s.Outcome, "an open review always has a timer")
	}
}

// quorum finds, from the record alone, that every seat was filled by persons who hold no other seat, in time.
func (m *machine) quorum(t *rapid.T, s Status) {
	require.True(t, s.Closed.Before(s.Deadline))
	latest := map[string]Decision{}
	for _, d := range s.Decisions {
		if d.Standing != Late {
			require.False(t, d.At.After(s.Closed))
			latest[person(d.Reviewer)] = d
		}
	}
	filled := map[string]int{}
	for who, d := range latest {
		require.Equal(t, Approve, d.Decision)
		require.Equal(t, dossier.String(), d.Dossier)
		require.False(t, m.r.s.Policy.SeparateRequester && who == "p0")
		filled[d.Role]++
	}
	for _, seat := range m.r.s.Policy.Seats {
		require.GreaterOrEqual(t, filled[seat.Role], seat.Approvals)
	}
}

func snapshot(t *rapid.T, r *Review) string {
	data, err := r.Snapshot()
	require.NoError(t, err)
	return string(data)
}

func TestAnyCourseOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{}
		m.start(t)
		t.Repeat(map[string]func(*rapid.T){
			"vote": m.vote,
			"tick": m.tick,
			"wait": m.wait,
			"":     m.check,
		})
	})
}

// Whatever the order in which distinct persons approve, the same votes approve or leave the same seats open.
func TestApprovalsCommute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		votes := make([]Vote, rapid.IntRange(0, 6).Draw(t, "votes"))
		for i := range votes {
			votes[i] = vote(fmt.Sprintf("p%d", i+1), rapid.SampledFrom([]string{"ethics", "risk"}).Draw(t, "role"), Approve)
		}
		run := func() (Outcome, []Seat) {
			r, err := New(policy(), dossier, "p0", opened)
			require.NoError(t, err)
			for i, v := range votes {
				// Votes after the quorum are late, which is the one thing that depends on the order.
				_, _ = r.Apply(v, hours(i))
			}
			return r.Outcome(), r.Status().Missing
		}
		outcome, missing := run()
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		rng.Shuffle(len(votes), func(i, j int) { votes[i], votes[j] = votes[j], votes[i] })
		again, stillMissing := run()
		require.Equal(t, outcome, again)
		require.Equal(t, missing, stillMissing)
	})
}

// Without a tick or a vote at the right time nothing approves: silence only ever expires.
func TestSilenceExpires(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{}
		m.start(t)
		m.now = m.r.deadline().Add(time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "late")))
		m.tick(t)
		require.Equal(t, Expired, m.r.Outcome())
	})
}
