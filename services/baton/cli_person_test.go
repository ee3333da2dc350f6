package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPersonDedupe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "people.csv")
	rows := "id, Name, Firm, Mail\n" +
		"rec-1-a, Jane Smith, Acme GmbH, jane@acme.example\n" +
		"rec-1-b, Jane Smith, Acme, jane+news@acme.example\n" +
		"rec-1-c, Jane Smith, Acme,\n" +
		"rec-2-a, Jayne Smith, Acme,\n" +
		"rec-3-a, John Brown, Globex,\n"
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	columns := []string{"--map", "name=Name,company=Firm,email=Mail"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{append(columns, "--truth", "id=^rec-([0-9]+)-"), `5 rows would be 3 persons. In truth 3 pairs are one person.
Joined from 95 % on, suggested from 65 % on.

PAIRS                 FOUND  TRUE  PRECISION  RECALL
by address or number  1      1     1.000      0.333
joined by themselves  3      3     1.000      1.000
suggested             1      0     0.000      0.000
`},
		{columns, `5 rows would be 3 persons.
Joined from 95 % on, suggested from 65 % on.

PAIRS                 FOUND
by address or number  1
joined by themselves  3
suggested             1
`},
	} {
		got := run(t, append([]string{"person", "dedupe", file}, c.args...)...)
		if got.status != statusOK || got.out != c.want {
			t.Errorf("%v ended with %d:\n%s%s", c.args, got.status, got.out, got.err)
		}
	}
	if got := run(t, append([]string{"person", "dedupe", file, "--format", "json", "--truth", "id=^rec-([0-9]+)-"}, columns...)...); !strings.Contains(got.out, `"precision": 1`) {
		t.Errorf("as JSON:\n%s", got.out)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "say with --map"},
		{[]string{"--map", "name"}, "FIELD=COLUMN"},
		{[]string{"--map", "shoe=Name"}, "FIELD=COLUMN"},
		{[]string{"--map", "name=Nome"}, `no column "Nome"`},
		{append(columns, "--truth", "id=("), "regular expression"},
		{append(columns, "--truth", "id=rec"), "one group"},
		{append(columns, "--truth", "who"), `no column "who"`},
	} {
		if got := run(t, append([]string{"person", "dedupe", file}, c.args...)...); got.status == statusOK || !strings.Contains(got.err, c.want) {
			t.Errorf("%v ended with %d: %s", c.args, got.status, got.err)
		}
	}
}
