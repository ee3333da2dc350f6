package keys

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"math"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

// bodyWindow is how long an equal body from the same source joins the first.
const bodyWindow = 24 * time.Hour

// What matched, in Grant.MatchedBy.
const (
	matchedEmail = "email"
	matchedPhone = "phone"
	matchedAlike = "name-and-company"
	matchedNew   = "new"
)

// Admission is what a submission needs before its events can be written.
type Admission struct {
	LeadID   string
	KeyID    string // the submission's own key, found or made
	SourceID string
	Plain    []byte // what to seal
	AAD      []byte

	// E-mail and telephone as normalised text; empty = none.
	Email, Phone string
	// PersonID is whose it is where neither of the two says otherwise; empty = a
	// new person's.
	PersonID string

	// Likeness is what the person is compared by besides; nil = nothing.
	Likeness *Likeness

	// BodyMAC is the MAC of the body, 32 bytes, of a submission that has no id of
	// its sender's; nil = it has one. ReceivedAt counts only with it.
	BodyMAC    []byte
	ReceivedAt time.Time
}

// Grant answers an Admission.
type Grant struct {
	Sealed    *leadv1.Sealed
	PersonID  string
	MatchedBy string // "email", "phone", "name-and-company" or "new"
	// Confidence is how sure a likeness is, in percent; 0 = the match is exact.
	Confidence int
	// Suggested is who else may be the same person; nil = nobody.
	Suggested *Suggestion

	// FirstLead is the lead that the same source brought with the same body
	// first within the 24 hours before this one was received; the lead's own id
	// if there is none.
	FirstLead string
}

// Admit seals each submission under its own key, says which person it belongs
// to, and whether its body came before. All admissions go into one transaction
// with one sync to disk; on a fault none of them holds.
//
// The person is whom the e-mail address belongs to, else whom the telephone
// number belongs to, else whom they are enough alike, else a new one. Whoever
// else they are nearly as much alike is suggested, once for each likeness. An
// address or number that belongs to nobody
// yet is the person's from now on; one that belongs to somebody else stays
// theirs. Later admissions in the list see the earlier ones.
//
// A body counts as seen when a lead that was itself the first with that body
// from that source was received less than 24 hours before, or at the same
// instant: leads that joined it do not lengthen its time, and exactly 24 hours
// later the body is a first again. Of several, the earliest counts.
//
// Asked again for the same KeyID, Admit answers the same key, person and match;
// for the same LeadID the same first lead, whatever was admitted in between. The
// ciphertext differs, as each sealing has its own nonce.
func (s *Store) Admit(ctx context.Context, admissions []Admission) ([]Grant, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	for i := range admissions {
		if err := admissions[i].check(i); err != nil {
			return nil, err
		}
	}
	if len(admissions) == 0 {
		return nil, nil
	}
	grants := make([]Grant, len(admissions))
	sealing := make([]*dataKey, len(admissions))
	err := s.change(ctx, "admit", func(tx *sql.Tx) error {
		t := admitting{store: s, tx: tx, now: clock.Real{}.Now().Unix(), opened: map[string][]byte{}}
		for i := range admissions {
			// The statements run without the caller's context: watching it costs
			// a goroutine for each. Between two admissions is soon enough.
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if sealing[i], err = t.admit(&admissions[i], &grants[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range admissions {
		grants[i].Sealed = sealing[i].seal(admissions[i].Plain, admissions[i].AAD)
	}
	return grants, nil
}

func (a *Admission) check(i int) error {
	switch {
	case !nameable(a.LeadID), !nameable(a.SourceID):
		return fault.New(fault.Invalid, "admission %d: lead and source ids have 1 to %d bytes", i, maxName)
	case !nameable(a.KeyID), isDayID(a.KeyID):
		return fault.New(fault.Invalid, "admission %d: a key's name has 1 to %d bytes and does not begin with %q", i, maxName, dayPrefix)
	case a.BodyMAC == nil:
		return nil
	case len(a.BodyMAC) != sha256.Size:
		return fault.New(fault.Invalid, "admission %d: the MAC of the body has %d bytes and must have %d", i, len(a.BodyMAC), sha256.Size)
	}
	_, startFits := nanos(a.ReceivedAt.Add(-bodyWindow))
	if _, fits := nanos(a.ReceivedAt); !fits || !startFits {
		return fault.New(fault.Invalid, "admission %d: received in the year %d; check the clock", i, a.ReceivedAt.Year())
	}
	return nil
}

// nanos is an instant as stored; false if it lies outside of what fits.
func nanos(t time.Time) (int64, bool) {
	low, high := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	return t.UnixNano(), !t.Before(low) && !t.After(high)
}

// admitting is one transaction of Admit.
type admitting struct {
	store *Store
	tx    *sql.Tx
	now   int64
	// opened are likenesses that were opened in this transaction, by their keys.
	opened map[string][]byte
}

// person is a row of persons.
type person struct {
	row int64
	id  string
}

func (t *admitting) on(stmt *sql.Stmt) *sql.Stmt {
	return t.tx.StmtContext(context.Background(), stmt)
}

func (t *admitting) admit(a *Admission, g *Grant) (*dataKey, error) {
	row, key, err := t.store.ensureKey(context.Background(), t.tx, a.KeyID)
	if err != nil {
		return nil, err
	}
	who, err := t.identify(a, row, key, g)
	if err != nil {
		return nil, err
	}
	g.PersonID = who.id
	g.FirstLead = a.LeadID
	if a.BodyMAC != nil {
		if g.FirstLead, err = t.first(a, who); err != nil {
			return nil, err
		}
	}
	return key, nil
}

// identify answers whose key it is. A key that has an owner keeps it.
func (t *admitting) identify(a *Admission, row int64, key *dataKey, g *Grant) (person, error) {
	stmt := &t.store.stmt
	email, err := t.match(t.store.secrets.email, a.Email)
	if err != nil {
		return person{}, err
	}
	phone, err := t.match(t.store.secrets.phone, a.Phone)
	if err != nil {
		return person{}, err
	}
	var who person
	var other Suggestion
	var alike string
	err = t.on(stmt.owner).QueryRow(row).Scan(&who.row, &who.id, &g.MatchedBy, &g.Confidence, &other.PersonID, &other.Confidence, &alike)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		switch {
		case email.who.row != 0:
			who, g.MatchedBy = email.who, matchedEmail
		case phone.who.row != 0:
			who, g.MatchedBy = phone.who, matchedPhone
		case a.PersonID != "":
			if err = t.on(stmt.personRow).QueryRow(a.PersonID).Scan(&who.row, &who.id); err != nil {
				return person{}, err
			}
			g.MatchedBy = matchedNew
		}
		if who, err = t.own(a, row, key, who, g); err != nil {
			return person{}, err
		}
	case err != nil:
		return person{}, err
	case other.PersonID != "":
		other.Alike = strings.Fields(alike)
		g.Suggested = &other
	}
	for _, m := range []struct {
		kind string
		matching
	}{{matchedEmail, email}, {matchedPhone, phone}} {
		if m.mac != nil && m.who.row == 0 {
			if _, err := t.on(stmt.insertMatch).Exec(m.kind, m.mac, who.row); err != nil {
				return person{}, err
			}
		}
	}
	return who, nil
}

// own gives a key to whom its address or number belongs to, else to whom its
// likeness says, else to somebody new; and records the answer, so that it stays
// the same.
func (t *admitting) own(a *Admission, row int64, key *dataKey, who person, g *Grant) (person, error) {
	var best likest
	fresh := a.Likeness != nil && len(a.Likeness.Blocks) > 0
	var err error
	if fresh && who.row != 0 {
		known, err := t.known(who, a.Likeness)
		if err != nil {
			return who, err
		}
		fresh = !known
	}
	if fresh {
		if best, err = t.likest(a.Likeness, who); err != nil {
			return who, err
		}
		if who.row == 0 && best.confidence >= a.Likeness.JoinAt {
			who, g.MatchedBy, g.Confidence = best.who, matchedAlike, best.confidence
			best = likest{}
			known, err := t.known(who, a.Likeness)
			if err != nil {
				return who, err
			}
			fresh = !known
		}
	}
	if who.row == 0 {
		g.MatchedBy = matchedNew
		if who, err = t.newPerson(); err != nil {
			return who, err
		}
	}
	if fresh && best.who.row != 0 && best.confidence >= a.Likeness.SuggestAt {
		g.Suggested = &Suggestion{PersonID: best.who.id, Confidence: best.confidence, Alike: best.alike}
	} else {
		best = likest{}
	}
	if _, err = t.on(t.store.stmt.insertOwner).Exec(row, who.row, g.MatchedBy, g.Confidence, best.who.row, best.confidence, strings.Join(best.alike, " ")); err != nil || !fresh {
		return who, err
	}
	return who, t.keepLikeness(a, row, key, who)
}

// matching is an address or number, and whom it belongs to (row 0 = nobody).
type matching struct {
	mac []byte
	who person
}

func (t *admitting) match(key []byte, value string) (m matching, err error) {
	if value == "" {
		return m, nil
	}
	m.mac = mac(key, []byte(value))
	err = t.on(t.store.stmt.match).QueryRow(m.mac).Scan(&m.who.row, &m.who.id)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return m, err
}

// newPerson hands out an id of 128 random bits or more, of characters that are
// safe in a subject.
func (t *admitting) newPerson() (person, error) {
	who := person{id: "p" + strings.ToLower(rand.Text())}
	result, err := t.on(t.store.stmt.insertPerson).Exec(who.id, t.now)
	if err != nil {
		return person{}, err
	}
	who.row, err = result.LastInsertId()
	return who, err
}

// first answers which lead had the body first, and records the answer, so that
// it stays the same.
func (t *admitting) first(a *Admission, who person) (string, error) {
	stmt := &t.store.stmt
	var first string
	err := t.on(stmt.bodyOfLead).QueryRow(a.LeadID).Scan(&first)
	if !errors.Is(err, sql.ErrNoRows) {
		return first, err
	}
	at, _ := nanos(a.ReceivedAt)
	err = t.on(stmt.firstBody).QueryRow(a.SourceID, a.BodyMAC, at-int64(bodyWindow), at).Scan(&first)
	if errors.Is(err, sql.ErrNoRows) {
		first, err = a.LeadID, nil
	}
	if err != nil {
		return "", err
	}
	_, err = t.on(stmt.insertBody).Exec(a.LeadID, a.SourceID, a.BodyMAC, at, first, who.row)
	return first, err
}
