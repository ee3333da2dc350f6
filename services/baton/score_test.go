package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
	"github.com/leadbaton/baton/services/score"
)

// boughtDeals is a file of past leads: the more people a company has and the more the
// country is Germany, the more likely it bought.
func boughtDeals(n int) string {
	r := rand.New(rand.NewPCG(4, 4))
	rows := []string{"id,email,country,employees,created,outcome,closed"}
	for i := range n {
		country, size, chance := []string{"DE", "FR"}[r.IntN(2)], []int{4, 80}[r.IntN(2)], 20
		if country == "DE" {
			chance += 30
		}
		if size == 80 {
			chance += 35
		}
		outcome := "lost"
		if r.IntN(100) < chance {
			outcome = "won"
		}
		day := time.Date(2025, 6, 1, 9, 0, 0, 0, time.UTC).Add(time.Duration(i) * 5 * time.Hour)
		rows = append(rows, fmt.Sprintf("D-%d,somebody.%d@firm.example,%s,%d,%s,%s,%s", i, i, country, size, day.Format(time.RFC3339), outcome, day.Add(48*time.Hour).Format(time.RFC3339)))
	}
	return strings.Join(rows, "\n") + "\n"
}

const boughtMap = `
columns:
  external_id: id
  email: email
  country: country
  employees: employees
  received_at: created
  closed_at: closed
  outcome: outcome
`

// TestScoreFromTheOutcomes: past deals are imported, a score is learned from
// them, both sign it, it is switched on, and it says of a lead what its table
// says; the log that holds all this verifies.
func TestScoreFromTheOutcomes(t *testing.T) {
	h := start(t, Config{})
	h.agree(h.document())
	h.team("ana", "ben")
	h.typed()
	id := h.submit("lead-1", filled(1))
	h.settle()
	has(t, ok(t, "score", "list"), "Nothing was learned yet")
	has(t, ok(t, "score", "train"), "Too few leads have an outcome", "It cannot be signed or switched on.")

	file, mapping := writeFile(t, "deals.csv", boughtDeals(700)), writeFile(t, "map.yaml", boughtMap)
	same(t, "imported", tallied(t, "import", file, "--source", "web", "--map", mapping, "--history").New, int64(700))
	h.settle()
	has(t, ok(t, "score", "train"), "Better than chance: AUC 0.", "It waits for the signature of marketing and sales.",
		"size of the company in employees", "50 to 249", "country", "FR", "an average lead", "Left out:", "the same on every lead")
	if r := run(t, "score", "on", "2"); r.status != statusRefused || !strings.Contains(r.err, "before marketing and sales have both signed it") {
		t.Errorf("switched on unsigned: %+v", r)
	}
	if r := run(t, "score", "sign", "1", "--as", "sales", "--key", h.key("sales")); r.status != statusRefused || !strings.Contains(r.err, "there is nothing to sign") {
		t.Errorf("signed too few leads: %+v", r)
	}
	has(t, ok(t, "score", "sign", "2", "--as", "marketing", "--key", h.key("marketing")), "Signing for marketing: model 2. Better than chance", "It waits for the signature of sales.")
	if r := run(t, "score", "sign", "2", "--as", "sales", "--key", h.key("marketing")); r.status != statusRefused || !strings.Contains(r.err, "not the key") {
		t.Errorf("signed with a foreign key: %+v", r)
	}
	has(t, ok(t, "score", "sign", "2", "--as", "sales", "--key", h.key("sales")), "Both have signed; baton score on 2 puts it in force.")
	has(t, ok(t, "score", "on", "2"), "It is in force since")
	has(t, ok(t, "score", "show"), "signed for sales", "1 of the 200 leads came", "next training")
	has(t, ok(t, "score", "list"), "MODEL", "better than chance", "too few leads", "in force")

	said := must[*scorev1.ScoreLeadResponse](t)(scorev1.NewScoreServiceClient(h.conn).ScoreLead(h.as("ana"), &scorev1.ScoreLeadRequest{LeadId: id})).GetScore()
	shown := must[*scorev1.Score](t)(scorev1.NewScoreServiceClient(h.conn).GetScore(h.as("ana"), &scorev1.GetScoreRequest{}))
	want := score.NewModel(shown.GetModel()).Explain(h.lead(id).GetFeatures())
	same(t, "the score of the lead", said.GetTotal(), want.GetTotal())
	has(t, ok(t, "score", "explain", id), fmt.Sprintf("Of 1000 leads like this, %d are expected", want.GetPerMille()), "all together", "country")
	has(t, ok(t, "score", "points"), "CRITERION", "The company has at least 20 employees.", "points needed")
	if _, err := scorev1.NewScoreServiceClient(h.conn).Train(h.as("ana"), &scorev1.TrainRequest{}); err == nil {
		t.Error("somebody of sales trained a score")
	}
	has(t, ok(t, "score", "off", "2"), "Model 2 is not in force.")
	has(t, strings.Join(h.types(score.Subject), " "), "ScoreTrained", "ScoreSigned", "ScoreSwitched")
	whole(t, h)
	same(t, "state of the lead", h.lead(id).GetState() != leadv1.State_STATE_UNSPECIFIED, true)
}

// key is a file that holds a party's key.
func (h *house) key(party string) string {
	h.t.Helper()
	path := keyPath(h.t.TempDir(), party)
	if err := writeKey(path, h.signs[party]); err != nil {
		h.t.Fatal(err)
	}
	return path
}
