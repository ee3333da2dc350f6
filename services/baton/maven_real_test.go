//go:build real

package main

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadbaton/baton/services/internal/clock"
)

// closedFigures are what was won and lost.
type closedFigures struct {
	Won, Lost, Value int64
	Rate             float64
}

// TestPastOfACompany: its own figures, by person, manager, office, product and industry,
// now and as of five days, from files as they lie there and with the guide's own maps.
func TestPastOfACompany(t *testing.T) {
	dir := filepath.Join(shared, "data", "maven-crm-sales-opportunities")
	type split struct {
		N     int64   `json:"n"`
		Won   int64   `json:"pos"`
		Rate  float64 `json:"rate"`
		Value int64   `json:"won_value"`
	}
	var known struct {
		Opportunities, Accounts, Closed, Won int64
		Agents                               int64                       `json:"agents_in_team_table"`
		Rate                                 float64                     `json:"win_rate_of_closed"`
		Value                                int64                       `json:"won_value_total"`
		Stages                               map[string]int64            `json:"stages"`
		NoAccount                            int64                       `json:"blank_account"`
		OtherProducts                        map[string]int64            `json:"product_names_not_in_product_table"`
		Idle                                 []string                    `json:"agents_without_opportunities"`
		Load                                 map[string]int64            `json:"load_by_agent_all_stages"`
		Agent                                map[string]split            `json:"by_agent"`
		Manager                              map[string]split            `json:"by_manager"`
		Office                               map[string]split            `json:"by_office"`
		Product                              map[string]split            `json:"by_product"`
		Sector                               map[string]split            `json:"by_sector"`
		Days                                 map[string]map[string]int64 `json:"open_engaging_at_end_of_day"`
	}
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "FIGURES.json"))), &known); err != nil {
		t.Fatal(err)
	}

	maps := guideMaps(t)
	h := start(t, Config{clock: clock.NewVirtual(time.Date(2018, 1, 2, 9, 0, 0, 0, time.UTC)), Data: filepath.Join(t.TempDir(), "data")})
	h.typed()
	ok(t, "source", "add", "crm")
	// Beside the file, so that what is set apart would not be written to it.
	copied := func(name string) string {
		return writeFile(t, name, string(must[[]byte](t)(os.ReadFile(filepath.Join(dir, name)))))
	}
	people, accounts, products, deals := copied("sales_teams.csv"), copied("accounts.csv"), copied("products.csv"), copied("sales_pipeline.csv.gz")
	args := []string{
		"import", deals, "--source", "crm", "--map", maps["deals.yaml"], "--history",
		"--known", "product=" + products, "--known", "company=" + accounts,
	}
	var written uint64
	for again := range 2 {
		began := time.Now()
		for _, in := range []struct {
			what string
			rows int64
			args []string
			warn []warned
		}{
			{"people", known.Agents, []string{"import", people, "--kind", "people", "--map", maps["people.yaml"]}, nil},
			{"accounts", known.Accounts, []string{"import", accounts, "--kind", "accounts", "--map", maps["accounts.yaml"]}, nil},
			{"opportunities", known.Opportunities, args, []warned{{"company", isMissing, known.NoAccount}, {"product", isUnknown, known.OtherProducts["GTXPro"]}}},
		} {
			want := importTally{Rows: in.rows, Accepted: in.rows, New: in.rows, Warnings: in.warn}
			if again > 0 {
				want.New, want.There = 0, in.rows
			}
			if in.warn != nil {
				want.Warns = in.args[1] + ".warnings.csv"
			}
			one := time.Now()
			got := tallied(t, in.args...)
			got.Tokens = ""
			slices.SortFunc(got.Warnings, func(a, b warned) int { return cmp.Compare(a.Field, b.Field) })
			same(t, in.what, got, want)
			t.Logf("run %d: %s in %v", again+1, in.what, time.Since(one).Round(time.Millisecond))
		}
		h.settle()
		t.Logf("run %d: all in %v", again+1, time.Since(began).Round(time.Millisecond))
		last := must[uint64](t)(h.App.log.Last(t.Context(), "LEDGER"))
		if again > 0 && last != written {
			t.Errorf("the second import said %d events", last-written)
		}
		written = last
	}
	listed := must[[]byte](t)(os.ReadFile(deals + ".warnings.csv"))
	if n := strings.Count(string(listed), "product is not in products.csv; there it is written GTX Pro"); int64(n) != known.OtherProducts["GTXPro"] {
		t.Errorf("%d rows are listed for their product", n)
	}

	db := must[*sql.DB](t)(sql.Open("sqlite", "file:"+filepath.Join(h.cfg.Data, "read.db")+"?mode=ro"))
	defer db.Close()
	for by, splits := range map[string]map[string]split{"person": known.Agent, "manager": known.Manager, "office": known.Office, "product": known.Product, "industry": known.Sector} {
		want := map[string]closedFigures{}
		for name, s := range splits {
			if by != "product" && by != "industry" {
				name = strings.ReplaceAll(strings.ToLower(name), " ", ".")
			}
			want[name] = closedFigures{s.Won, s.N - s.Won, s.Value, s.Rate}
		}
		same(t, "by "+by, closedBy(t, db, by, ""), want)
	}
	all := closedFigures{known.Won, known.Closed - known.Won, known.Value, known.Rate}
	same(t, "in total", closedBy(t, db, "", ""), map[string]closedFigures{"": all})
	funnel := pastReport(t, "funnel")
	same(t, "received and open", []float64{funnel.Total["received"].(float64), funnel.Total["open"].(float64)},
		[]float64{float64(known.Opportunities), float64(known.Stages["Engaging"] + known.Stages["Prospecting"])})

	for day, f := range known.Days {
		// The end of the day: what happened on it has happened.
		at := day + "T23:59:59Z"
		total := pastReport(t, "funnel", "--as-of", at).Total
		same(t, "as of "+day, []float64{total["open"].(float64), total["won"].(float64), total["lost"].(float64)},
			[]float64{float64(f["open"]), float64(f["won_to_date"]), float64(f["lost_to_date"])})
		if f["won_to_date"] > 0 {
			same(t, "value as of "+day, closedBy(t, db, "", at)[""].Value, f["won_value_to_date"])
		}
		load := pastReport(t, "load", "--as-of", at).Total
		same(t, "open at somebody as of "+day, load["open"].(float64), float64(f["open"]))
	}

	load := pastReport(t, "load")
	want := map[string]float64{}
	for name, n := range known.Load {
		want[handleOf(name)] = float64(n)
	}
	for _, name := range known.Idle {
		want[handleOf(name)] = 0
	}
	got := map[string]float64{}
	for _, row := range load.Rows {
		got[row["key"].(string)] = row["leads"].(float64)
	}
	same(t, "load", got, want)

	// What a row does not say its account does.
	var industries, sizes, countries, unowned int64
	if err := db.QueryRowContext(t.Context(), "SELECT SUM(industry <> ''), SUM(employees > 0), SUM(country <> ''), SUM(owner = '') FROM leads").Scan(&industries, &sizes, &countries, &unowned); err != nil {
		t.Fatal(err)
	}
	named := known.Opportunities - known.NoAccount
	same(t, "industry, size, country, nobody's", []int64{industries, sizes, countries, unowned}, []int64{named, named, named, 0})
	whole(t, h)
}

// closedBy answers what was won and lost by a dimension, as of the end of a day; an
// empty one is now. The counts are those of the funnel.
func closedBy(t *testing.T, db *sql.DB, by, at string) map[string]closedFigures {
	t.Helper()
	var more []string
	if by != "" {
		more = append(more, "--by", by)
	}
	until := int64(math.MaxInt64)
	if at != "" {
		more = append(more, "--as-of", at)
		until = must[time.Time](t)(time.Parse(time.RFC3339, at)).UnixNano()
	}
	out := map[string]closedFigures{}
	report := pastReport(t, "funnel", more...)
	if by == "" {
		report.Rows = []map[string]any{report.Total}
	}
	for _, row := range report.Rows {
		key, _ := row["key"].(string)
		if f := (closedFigures{Won: int64(row["won"].(float64)), Lost: int64(row["lost"].(float64))}); f.Won+f.Lost > 0 {
			f.Rate = math.Round(float64(f.Won)/float64(f.Won+f.Lost)*1e6) / 1e6
			out[key] = f
		}
	}
	column := map[string]string{"": "''", "person": "l.owner", "product": "l.product", "industry": "l.industry", "manager": "p.manager", "office": "p.office"}[by]
	rows, err := db.QueryContext(t.Context(), fmt.Sprintf("SELECT %s, SUM(l.value_minor) FROM leads l JOIN member_places p ON p.member = l.owner WHERE l.state = 'won' AND l.currency = 'USD' AND l.won_at <= %d GROUP BY 1", column, until))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var minor int64
		if err := rows.Scan(&key, &minor); err != nil {
			t.Fatal(err)
		}
		f := out[key]
		f.Value = minor / 100
		out[key] = f
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

type pastFigures struct {
	Rows  []map[string]any
	Total map[string]any
}

// pastReport is a report that counts imported history.
func pastReport(t *testing.T, name string, more ...string) (out pastFigures) {
	t.Helper()
	if err := json.Unmarshal([]byte(ok(t, append([]string{"report", name, "--historical", "--format", "json"}, more...)...)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}
