package keys

import (
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

const (
	// MaxBlocks is the most blocks of one likeness; further ones find nobody.
	MaxBlocks = 10
	// candidates is how many of a block are looked at, the latest first: a block
	// that somebody fills on purpose costs no more than that.
	candidates = 32
)

// Likeness is what somebody is compared by who has neither address nor number
// in common with anybody.
type Likeness struct {
	// Plain is what is compared. It is kept sealed under the submission's own key
	// and is in the clear in memory alone.
	Plain []byte
	// Blocks are texts of which two who may be one share at least one. They are
	// kept as keyed hashes.
	Blocks []string
	// Compare says how sure it is, in percent, that this and another Plain are
	// one person, and what is alike. It must be quick and touch no store.
	Compare func(other []byte) (confidence int, alike []string)
	// From JoinAt on two are taken for one; from SuggestAt on it is suggested.
	JoinAt, SuggestAt int
}

// Suggestion is somebody who may be the same person.
type Suggestion struct {
	PersonID   string
	Confidence int
	Alike      []string
}

// likest is the candidate who is most alike; row 0 = nobody.
type likest struct {
	who        person
	confidence int
	alike      []string
}

// known says whether a person's likeness is kept already.
func (t *admitting) known(who person, l *Likeness) (bool, error) {
	var one int
	err := t.on(t.store.stmt.likeness).QueryRow(who.row, mac(t.store.secrets.likeness, l.Plain)).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// likest finds who is most alike, besides one person; of several the one whose
// likeness was kept first.
func (t *admitting) likest(l *Likeness, besides person) (best likest, err error) {
	rows, err := t.on(t.store.stmt.candidates).Query(t.blocks(l)...)
	if err != nil {
		return best, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			who       person
			keyID     string
			wrapped   []byte
			destroyed bool
			raw       []byte
		)
		if err := rows.Scan(&who.row, &who.id, &keyID, &wrapped, &destroyed, &raw); err != nil {
			return best, err
		}
		if destroyed || who.row == besides.row {
			continue
		}
		// Those who share a block are compared with all of a batch, and opened once.
		other, opened := t.opened[keyID]
		if !opened {
			if other, err = t.openLikeness(keyID, wrapped, raw); err != nil {
				return best, err
			}
			t.opened[keyID] = other
		}
		if confidence, alike := l.Compare(other); confidence > best.confidence {
			best = likest{who, confidence, alike}
		}
	}
	return best, rows.Err()
}

func (t *admitting) openLikeness(keyID string, wrapped, raw []byte) ([]byte, error) {
	key, err := t.store.secrets.unwrap(keyID, wrapped)
	if err != nil {
		return nil, err
	}
	sealed := &leadv1.Sealed{}
	if err := proto.Unmarshal(raw, sealed); err != nil {
		return nil, fault.New(fault.Corrupt, "key %q: the likeness kept with it is damaged; stop, and restore the key store from its backup", keyID)
	}
	return key.open(sealed, likenessAAD(keyID))
}

func likenessAAD(keyID string) []byte { return []byte("likeness\x00" + keyID) }

// blocks are a likeness's blocks as they are kept, as many as the statements
// take; what is missing is NULL and matches nothing.
func (t *admitting) blocks(l *Likeness) []any {
	out := make([]any, MaxBlocks)
	for i, block := range l.Blocks[:min(len(l.Blocks), MaxBlocks)] {
		out[i] = mac(t.store.secrets.likeness, []byte("block"), []byte(block))[:16]
	}
	return out
}

// keepLikeness keeps what a person is compared by from now on.
func (t *admitting) keepLikeness(a *Admission, row int64, key *dataKey, who person) error {
	raw, err := proto.Marshal(key.seal(a.Likeness.Plain, likenessAAD(a.KeyID)))
	if err != nil {
		return err
	}
	blocks := t.blocks(a.Likeness)
	var all []byte
	for _, block := range blocks {
		if mac, ok := block.([]byte); ok {
			all = append(all, mac...)
		}
	}
	if _, err := t.on(t.store.stmt.insertLikeness).Exec(row, who.row, mac(t.store.secrets.likeness, a.Likeness.Plain), raw, all); err != nil {
		return err
	}
	_, err = t.on(t.store.stmt.insertBlocks).Exec(append(blocks, row)...)
	return err
}

// candidatesQuery finds what shares a block, by block and latest first within
// each, in the order in which they were kept.
func candidatesQuery() string {
	var parts []string
	for range MaxBlocks {
		parts = append(parts, "SELECT likeness FROM (SELECT likeness FROM blocks WHERE mac = ? ORDER BY likeness DESC LIMIT "+strconv.Itoa(candidates)+")")
	}
	return "SELECT p.id, p.person_id, d.key_id, d.wrapped, d.destroyed, l.sealed FROM likenesses l JOIN persons p ON p.id = l.person JOIN data_keys d ON d.id = l.data_key WHERE l.data_key IN (" +
		strings.Join(parts, " UNION ") + ") ORDER BY l.data_key"
}

func insertBlocksQuery() string {
	values := make([]string, MaxBlocks)
	for i := range values {
		values[i] = "(?" + strconv.Itoa(i+1) + ")"
	}
	return "INSERT INTO blocks (mac, likeness) SELECT column1, ?" + strconv.Itoa(MaxBlocks+1) + " FROM (VALUES " + strings.Join(values, ", ") + ") WHERE column1 IS NOT NULL"
}
