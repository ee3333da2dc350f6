//go:build real

package main

import (
	"encoding/json"
	"strings"
	"testing"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// Real bodies of tools whose deliveries have a life, each sent twice: what comes
// again changes nothing, a test stays a test, what lacks its answers waits once.
func TestRealBodiesComeAgain(t *testing.T) {
	body := func(name string) string {
		raw := readShared(t, "webhooks/"+name)
		if strings.HasSuffix(name, ".derived.json") {
			var v struct{ Body string }
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			return v.Body
		}
		return strings.ReplaceAll(string(raw), "REPLACE_WITH_TEST_GOOGLE_KEY", toolSecret)
	}
	for _, tt := range []struct {
		tool, file, tally string
		leads             int
	}{
		{"calendly", "calendly.json", "lead 1, repeat 1; 2", 1},
		{"calendly", "calendly.derived.json", "lead 1, repeat 1; 2", 1},
		{"typeform", "typeform.json", "lead 1, repeat 1; 2", 1},
		{"google-ads", "google-ads.json", "repeat 1, test 1; 2", 0},
		{"salesforce-web-to-lead", "salesforce-web-to-lead.derived.json", "touch 1, test 1; 2", 0},
		{"meta", "meta.json", "waiting-for-details 4; 2", 0},
		{"linkedin", "linkedin.json", "waiting-for-details 2; 2", 0},
		{"surveymonkey", "surveymonkey.json", "waiting-for-details 2; 2", 0},
		{"hubspot", "hubspot.json", "waiting-for-details 2; 2", 0},
	} {
		t.Run(tt.file, func(t *testing.T) {
			h := start(t, Config{PublicURL: "https://in.acme.example"})
			h.tool(tt.tool, &intakev1.SourceDeclared{})
			for range 2 {
				h.send(tt.tool, body(tt.file))
				h.settle()
			}
			same(t, "what became of it", strings.SplitN(h.tally(tt.tool), " acknowledged", 2)[0], tt.tally)
			h.testsAreKeptOut(tt.leads)
			whole(t, h)
		})
	}
}
