package intake_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/intake"
)

// TestAgreedWordsAreFound holds that the mapper asks the agreement for its words
// by the names under which the agreement keeps them.
func TestAgreedWordsAreFound(t *testing.T) {
	marketing, _, _ := ed25519.GenerateKey(nil)
	sales, _, _ := ed25519.GenerateKey(nil)
	rules, err := agreement.Compile(agreement.Starter(agreement.StarterParams{MarketingKey: marketing, SalesKey: sales}))
	if err != nil {
		t.Fatal(err)
	}
	f, err := intake.Parse("application/json", "", []byte(`{"email":"a@b.example","job_title":"IT Manager","industry":"SaaS","timeline":"asap"}`))
	if err != nil {
		t.Fatal(err)
	}
	got := intake.Map(f.Items[0], rules, nil).Submission.GetFeatures()
	if got.GetRole() != "manager" || got.GetIndustry() != "software" {
		t.Errorf("role %q, industry %q: want manager and software", got.GetRole(), got.GetIndustry())
	}
	if v := got.GetAnswers()["timeframe"]; v.GetText() != "now" {
		t.Errorf("answers %v: want timeframe now", got.GetAnswers())
	}
}
