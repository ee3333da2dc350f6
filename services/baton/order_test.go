package main

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAnyOrderSameReports: leads, touches and outcomes from files in any order of files
// and of rows, each file twice, outcomes before their leads among them, make the same
// reports and the same tables.
func TestAnyOrderSameReports(t *testing.T) {
	leads, touches, outcomes := storyRows(40)
	chance := rand.New(rand.NewPCG(7, 11))
	var want []string
	for round := range 4 {
		type part struct {
			args []string
			head string
			rows []string
		}
		parts := []part{
			{[]string{"--history"}, leads[0], leads[1:21]},
			{[]string{"--history"}, leads[0], leads[21:]},
			{[]string{"--kind", "activities"}, touches[0], touches[1:]},
			{[]string{"--kind", "outcomes"}, outcomes[0], outcomes[1:30]},
			{[]string{"--kind", "outcomes"}, outcomes[0], outcomes[30:]},
		}
		var order []int
		switch round {
		case 0: // as it happened, once
			order = []int{0, 1, 2, 3, 4}
		case 1: // the last first, and all of it again
			order = []int{4, 3, 2, 1, 0, 4, 3, 2, 1, 0}
		default:
			order = slices.Concat(chance.Perm(len(parts)), chance.Perm(len(parts)))
		}
		h := start(t, Config{Data: filepath.Join(t.TempDir(), "data")})
		h.typed()
		waited := int64(0)
		for _, i := range order {
			rows := slices.Clone(parts[i].rows)
			if round > 0 {
				chance.Shuffle(len(rows), func(a, b int) { rows[a], rows[b] = rows[b], rows[a] })
			}
			file := writeFile(t, fmt.Sprintf("part-%d.csv", i), parts[i].head+"\n"+strings.Join(rows, "\n")+"\n")
			got := tallied(t, append([]string{"import", file, "--source", "web", "--map", storyMap(t, parts[i].head)}, parts[i].args...)...)
			if got.Accepted != int64(len(rows)) {
				t.Fatalf("round %d, part %d: %+v", round, i, got)
			}
			waited += got.Waiting
			h.settle()
		}
		if round == 1 && waited != int64(len(outcomes)-1) {
			t.Errorf("%d outcomes came before their leads, and should all have", waited)
		}
		var got []string
		for _, report := range [][]string{{"funnel"}, {"funnel", "--by", "person"}, {"response"}, {"response", "--by", "country"}, {"load"}} {
			said := ok(t, slices.Concat([]string{"report"}, report, []string{"--historical", "--format", "json"})...)
			// Which log it was made of is another one each time.
			got = append(got, strings.Join(report, " ")+"\n"+eventSet.ReplaceAllString(said, ""))
		}
		got = append(got, tablesOf(t, h)...)
		whole(t, h)
		h.stop()
		if round == 0 {
			want = got
			if !strings.Contains(got[0], `"won": 10`) {
				t.Fatalf("the story is another one:\n%s", got[0])
			}
			for i, n := range []int{40, 80, 40, 39} { // leads, stage_history, assignments, touches
				if rows := strings.Count(got[5+i], "\n"); rows < n {
					t.Fatalf("%d rows: %s", rows, got[5+i])
				}
			}
			continue
		}
		for i := range want {
			same(t, fmt.Sprintf("round %d (files in order %v)", round, order), got[i], want[i])
		}
	}
}

// eventSet is where a report names the log that it was made of.
var eventSet = regexp.MustCompile(`,?\s*"event_set": "[^"]*"`)

// storyMap takes the columns by their own names; what a value counts a map must say.
func storyMap(t *testing.T, head string) string {
	t.Helper()
	text := "columns:\n"
	for name := range strings.SplitSeq(head, ",") {
		if name == "value" {
			name = "value: {column: value, currency: EUR}"
		} else {
			name += ": " + name
		}
		text += "  " + name + "\n"
	}
	return writeFile(t, "map.yaml", text)
}

// storyRows are leads of the past, touches of them and what became of them, each with
// its head. The number of employees tells a lead from the others.
func storyRows(n int) (leads, touches, outcomes []string) {
	leads = []string{"external_id,email,company,country,employees,received_at,owner,outcome"}
	touches = []string{"id,external_id,kind,occurred_at,utm_source"}
	outcomes = []string{"id,external_id,outcome,occurred_at,member,reason,value"}
	for i := range n {
		day := monday.AddDate(0, 0, -200+3*i)
		at := func(hours int) string { return day.Add(time.Duration(hours) * time.Hour).Format(time.RFC3339) }
		owner := []string{"ana", "ben", "cara"}[i%3]
		id := fmt.Sprintf("S-%d", i)
		leads = append(leads, fmt.Sprintf("%s,p%d@firm%d.example,Firm %d,%s,%d,%s,%s,open", id, i, i, i, []string{"DE", "FR"}[i%2], 1000+i, at(0), owner))
		touches = append(touches, fmt.Sprintf("t%d,%s,visit,%s,news", i, id, at(1)))
		for n := range i % 3 {
			outcomes = append(outcomes, fmt.Sprintf("c%d-%d,%s,touch,%s,%s,,", i, n, id, at(1+20*n+i%5), owner))
		}
		switch i % 4 {
		case 0:
			outcomes = append(outcomes, fmt.Sprintf("w%d,%s,won,%s,%s,,%d", i, id, at(100), owner, 100+i))
		case 1:
			outcomes = append(outcomes, fmt.Sprintf("l%d,%s,lost,%s,%s,too early,", i, id, at(90), owner))
		case 2:
			outcomes = append(outcomes, fmt.Sprintf("g%d,%s,working,%s,%s,,", i, id, at(50), owner))
		}
	}
	return leads, touches, outcomes
}

// tablesOf are the tables of the read model, without what is of this system alone: its
// ids, the places in its log and when it heard of things.
func tablesOf(t *testing.T, h *house) (out []string) {
	t.Helper()
	db := must[*sql.DB](t)(sql.Open("sqlite", "file:"+filepath.Join(h.cfg.Data, "read.db")+"?mode=ro"))
	defer db.Close()
	for _, table := range []string{"leads", "stage_history", "assignments", "touches", "duplicates", "rejections", "feedback"} {
		rows, err := db.QueryContext(t.Context(), "SELECT l.employees AS lead, x.* FROM "+table+" x JOIN leads l ON l.lead_id = x.lead_id")
		if err != nil {
			t.Fatal(err)
		}
		columns := must[[]string](t)(rows.Columns())
		var lines []string
		for rows.Next() {
			cells, at := make([]any, len(columns)), make([]any, len(columns))
			for i := range cells {
				at[i] = &cells[i]
			}
			if err := rows.Scan(at...); err != nil {
				t.Fatal(err)
			}
			var line []string
			for i, name := range columns {
				if strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "sequence") || strings.HasSuffix(name, "recorded_at") {
					continue
				}
				line = append(line, fmt.Sprintf("%s=%v", name, cells[i]))
			}
			lines = append(lines, strings.Join(line, " "))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		_ = rows.Close()
		slices.Sort(lines)
		out = append(out, table+"\n"+strings.Join(lines, "\n"))
	}
	return out
}
