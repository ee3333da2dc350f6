package keys

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// like is an admission whose likeness is a block and how sure it is that it is
// whoever else has that block: the higher of both.
func like(lead, email, block string, sure int) Admission {
	a := who(lead, email, "")
	plain := fmt.Appendf(nil, "%s %d canary likeness", block, sure)
	a.Likeness = &Likeness{
		Plain: plain, Blocks: []string{"other " + lead, block}, JoinAt: 95, SuggestAt: 60,
		Compare: func(other []byte) (int, []string) {
			var theirs int
			var name string
			if _, err := fmt.Sscanf(string(other), "%s %d", &name, &theirs); err != nil {
				return 0, nil
			}
			return min(sure, theirs), []string{"name", "company"}
		},
	}
	return a
}

func TestAlikeJoinsOrIsSuggested(t *testing.T) {
	for name, c := range map[string]struct {
		admissions  []Admission
		persons     string // by admission: a letter for each person
		by          string // of the last
		sure        int
		suggested   int // number of the admission whose person is suggested, -1 = nobody
		suggestedAt int
	}{
		"alike enough": {[]Admission{like("a", "x@e", "b", 99), like("b", "y@e", "b", 96)}, "aa", "name-and-company", 96, -1, 0},
		"nearly":       {[]Admission{like("a", "x@e", "b", 99), like("b", "y@e", "b", 80)}, "ab", "new", 0, 0, 80},
		"hardly":       {[]Admission{like("a", "x@e", "b", 99), like("b", "y@e", "b", 59)}, "ab", "new", 0, -1, 0},
		"no block in common": {
			[]Admission{like("a", "x@e", "b", 99), like("b", "y@e", "c", 99)}, "ab", "new", 0, -1, 0,
		},
		"the address comes first, and who else is alike is suggested": {
			[]Admission{like("a", "x@e", "b", 70), like("b", "y@e", "c", 99), like("c", "y@e", "b", 99)}, "abb", "email", 0, 0, 70,
		},
		"the likest of several": {
			[]Admission{like("a", "x@e", "b", 70), like("b", "y@e", "b", 80), like("c", "z@e", "b", 99)}, "abc", "new", 0, 1, 80,
		},
		"who joined brings their address": {
			[]Admission{like("a", "x@e", "b", 99), like("b", "y@e", "b", 99), who("c", "y@e", "")}, "aaa", "email", 0, -1, 0,
		},
		"the same again is not suggested twice": {
			[]Admission{like("a", "x@e", "b", 70), like("b", "y@e", "b", 70), like("c", "y@e", "b", 70)}, "abb", "email", 0, -1, 0,
		},
	} {
		for _, way := range []string{"in one batch", "one by one"} {
			t.Run(name+" "+way, func(t *testing.T) {
				s := fresh(t)
				var grants []Grant
				if way == "in one batch" {
					grants = admit(t, s, c.admissions...)
				} else {
					for _, a := range c.admissions {
						grants = append(grants, admit(t, s, a)...)
					}
				}
				for i, g := range grants {
					if first := strings.IndexByte(c.persons, c.persons[i]); g.PersonID != grants[first].PersonID {
						t.Errorf("admission %d is another person than admission %d", i, first)
					}
				}
				if c.persons[0] != c.persons[len(grants)-1] && grants[0].PersonID == grants[len(grants)-1].PersonID {
					t.Error("two are one person")
				}
				last := grants[len(grants)-1]
				if last.MatchedBy != c.by || last.Confidence != c.sure {
					t.Errorf("found by %s, %d sure; want %s, %d", last.MatchedBy, last.Confidence, c.by, c.sure)
				}
				var want *Suggestion
				if c.suggested >= 0 {
					want = &Suggestion{PersonID: grants[c.suggested].PersonID, Confidence: c.suggestedAt, Alike: []string{"name", "company"}}
				}
				if diff := cmp.Diff(want, last.Suggested); diff != "" {
					t.Errorf("suggested (-want +got)\n%s", diff)
				}
				// Asked again, the answer is the same.
				again := admit(t, s, c.admissions[len(grants)-1])[0]
				again.Sealed, last.Sealed = nil, nil
				if diff := cmp.Diff(last, again); diff != "" {
					t.Errorf("asked again (-first +second)\n%s", diff)
				}
			})
		}
	}
}

// What persons are compared by is nowhere in the clear, and goes with its key.
func TestLikenessIsSealedAndGoesWithItsKey(t *testing.T) {
	s := fresh(t)
	admit(t, s, like("a", "x@e", "canaryblock", 99))
	for name, content := range contents(t, filepath.Dir(s.path)) {
		for _, canary := range []string{"canaryblock", "canary likeness"} {
			if bytes.Contains(content, []byte(canary)) || bytes.Contains(content, []byte(hex.EncodeToString([]byte(canary)))) {
				t.Errorf("%s holds %q", name, canary)
			}
		}
	}
	var sealed []byte
	if err := s.read.QueryRow("SELECT sealed FROM likenesses").Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	kept := &leadv1.Sealed{}
	if err := proto.Unmarshal(sealed, kept); err != nil || kept.GetKeyId() != "a" {
		t.Fatalf("the likeness is sealed under %q, want the submission's own key", kept.GetKeyId())
	}
	mustOpen(t, s, kept, string(likenessAAD("a")), "canaryblock 99 canary likeness")
	// The key destroyed, as erasing does: nobody is compared with it any more.
	if _, err := s.write.Exec("UPDATE data_keys SET wrapped = zeroblob(length(wrapped)), destroyed = 1"); err != nil {
		t.Fatal(err)
	}
	if g := admit(t, s, like("b", "y@e", "canaryblock", 99))[0]; g.MatchedBy != "new" || g.Suggested != nil {
		t.Errorf("somebody was compared with what is erased: %+v", g)
	}
}

// A block that somebody fills on purpose costs a bounded number of comparisons.
func TestFullBlockIsNotSearchedWhole(t *testing.T) {
	s := fresh(t)
	var batch []Admission
	for i := range 3 * candidates {
		batch = append(batch, like("l"+itoa(i), itoa(i)+"@e", "b", 10+i%7))
	}
	admit(t, s, batch...)
	compared := 0
	last := like("last", "last@e", "b", 50)
	last.Likeness.Compare = func([]byte) (int, []string) { compared++; return 0, nil }
	admit(t, s, last)
	if compared != candidates {
		t.Errorf("%d comparisons, want %d", compared, candidates)
	}
}

// A file of before likenesses is brought up to date and keeps whose keys are
// whose.
func TestMigrationKeepsWhoseKeysAreWhose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	before := admit(t, s, who("a", "x@e", ""), who("b", "", "+1"))
	s.Close()
	down := []string{
		"DROP TABLE blocks", "DROP TABLE likenesses", "ALTER TABLE key_persons RENAME TO new",
		"CREATE TABLE key_persons (data_key INTEGER PRIMARY KEY REFERENCES data_keys (id), person INTEGER NOT NULL REFERENCES persons (id), matched_by TEXT NOT NULL CHECK (matched_by IN ('email', 'phone', 'new'))) STRICT",
		"INSERT INTO key_persons SELECT data_key, person, matched_by FROM new", "DROP TABLE new",
		"CREATE INDEX key_persons_by_person ON key_persons (person)", "PRAGMA user_version = 1",
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range down {
		if _, err := db.ExecContext(context.Background(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	db.Close()
	s, err = Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	after := admit(t, s, who("a", "x@e", ""), who("b", "", "+1"), like("c", "z@e", "b", 99))
	for i, g := range before {
		if after[i].PersonID != g.PersonID || after[i].MatchedBy != g.MatchedBy {
			t.Errorf("key %d: %+v, before %+v", i, after[i], g)
		}
	}
}
