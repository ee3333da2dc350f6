package intake

import leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"

// Candidate is one record of a file that is searched for persons who are one.
type Candidate struct {
	Personal *leadv1.PersonalData
	// Region of telephone numbers without a country code; empty = none.
	Region string
	// Truth names the person; empty = not known.
	Truth string
}

// Pairs counts pairs of records that a rule takes for one person.
type Pairs struct {
	// Found by the rule, and how many of those are one person in truth.
	Found, True int
}

// Precision in tenths of a percent; 1000 where nothing was found.
func (p Pairs) Precision() int {
	if p.Found == 0 {
		return 1000
	}
	return 1000 * p.True / p.Found
}

// Dedupe is what the door would make of a file.
type Dedupe struct {
	Records int
	// Persons that would be opened, and pairs that are one in truth.
	Persons, TruePairs int
	// Exact are pairs joined by address or number, Joined those joined in any way
	// by themselves, Suggested those that somebody is asked about.
	Exact, Joined, Suggested Pairs
}

// Recall of a count, in tenths of a percent of the true pairs.
func (d *Dedupe) Recall(p Pairs) int {
	if d.TruePairs == 0 {
		return 1000
	}
	return 1000 * p.True / d.TruePairs
}

// FindDuplicates runs a file through the same comparison that submissions go
// through, one record after the other, and counts pairs of records. It writes
// nothing.
func FindDuplicates(records []Candidate, domains *Domains) *Dedupe {
	d := &Dedupe{Records: len(records)}
	var (
		likes   = make([]*Likeness, len(records))
		person  = make([]int, len(records)) // by record: who it is
		members = map[int][]int{}           // by person: their records
		blocks  = map[string][]int{}
		keys    = map[string]int{} // exact keys, to the person
		truth   = map[string]int{}
		asked   = map[[2]int]bool{}
		same    = func(i, j int) bool { return records[i].Truth != "" && records[i].Truth == records[j].Truth }
	)
	for i, r := range records {
		if r.Truth != "" {
			d.TruePairs += truth[r.Truth]
			truth[r.Truth]++
		}
		email, _ := NormaliseEmail(r.Personal.GetEmail())
		phone, _, ok := NormalisePhone(r.Personal.GetPhone(), r.Region)
		exact := map[string]string{"email": EmailKey(email), "phone": phone}
		if !ok {
			phone = r.Personal.GetPhone()
		}
		likes[i] = LikenessOf(r.Personal, email, phone, domains)
		who, by := -1, &d.Joined
		for _, kind := range []string{"email", "phone"} {
			if p, ok := keys[kind+exact[kind]]; ok && exact[kind] != "" && who < 0 {
				who, by = p, &d.Exact
			}
		}
		best, bestAt := 0, -1
		seen := map[int]bool{}
		for _, block := range likes[i].Blocks() {
			for _, j := range recent(blocks[block]) {
				if !seen[j] {
					seen[j] = true
					if c, _ := Alike(likes[i], likes[j]); c > best {
						best, bestAt = c, j
					}
				}
			}
			blocks[block] = append(blocks[block], i)
		}
		if who < 0 && best >= JoinAt {
			who = person[bestAt]
		}
		if who < 0 {
			who = len(members)
		}
		if person[i] = who; bestAt >= 0 && best >= SuggestAt && person[bestAt] != who {
			pair := [2]int{person[bestAt], who}
			if !asked[pair] {
				asked[pair] = true
				d.Suggested.count(same(i, bestAt))
			}
		}
		for _, j := range members[who] {
			d.Joined.count(same(i, j))
			if by == &d.Exact {
				d.Exact.count(same(i, j))
			}
		}
		members[who] = append(members[who], i)
		for kind, key := range exact {
			if _, taken := keys[kind+key]; key != "" && !taken {
				keys[kind+key] = who
			}
		}
	}
	d.Persons = len(members)
	return d
}

func (p *Pairs) count(one bool) {
	p.Found++
	if one {
		p.True++
	}
}

// recent are the candidates of a block that are looked at: as many as the key
// store hands out.
func recent(block []int) []int { return block[max(0, len(block)-64):] }
