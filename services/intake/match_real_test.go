//go:build real

package intake

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// The street stands for the company and the insurance number for the telephone
// number: what the invented persons of the file have instead.
func TestRealDuplicates(t *testing.T) {
	f, err := os.Open(realData(t, "dedupe", "dataset1.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.TrimLeadingSpace = true
	rows, err := in.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	for _, c := range []struct {
		company, phone string
		joined, found  int // least recall, in tenths of a percent
	}{
		{"address_1", "soc_sec_id", 850, 920},
		{"suburb", "date_of_birth", 800, 900},
		{"address_1", "", 280, 580},
	} {
		var records []Candidate
		for _, row := range rows[1:] {
			p := &leadv1.PersonalData{FirstName: row[at["given_name"]], LastName: row[at["surname"]], Company: row[at[c.company]]}
			if c.phone != "" {
				p.Phone = row[at[c.phone]]
			}
			if gibberish(p.GetFirstName()) || gibberish(p.GetLastName()) || gibberish(p.GetCompany()) {
				t.Errorf("%q counts as random letters", p)
			}
			records = append(records, Candidate{Personal: p, Truth: strings.Split(row[0], "-")[1]})
		}
		d := FindDuplicates(records, nil)
		t.Logf("by name, %s, %s: joined %d of which %d true (precision %d, recall %d per mille); suggested %d of which %d true (recall %d)",
			c.company, c.phone, d.Joined.Found, d.Joined.True, d.Joined.Precision(), d.Recall(d.Joined), d.Suggested.Found, d.Suggested.True, d.Recall(d.Suggested))
		if d.Records != 1000 || d.TruePairs != 500 {
			t.Fatalf("%d records, %d true pairs", d.Records, d.TruePairs)
		}
		if d.Joined.Precision() < 980 {
			t.Errorf("the precision of what joins by itself is %d per mille, want 980", d.Joined.Precision())
		}
		if d.Recall(d.Joined) < c.joined || d.Recall(d.Joined)+d.Recall(d.Suggested) < c.found {
			t.Errorf("recall %d, with what is suggested %d per mille; want %d and %d", d.Recall(d.Joined), d.Recall(d.Joined)+d.Recall(d.Suggested), c.joined, c.found)
		}
	}
}
