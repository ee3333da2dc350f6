package delivery

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
)

// Chat speaks to a room of people by the address that Slack or Teams gave for it. The
// message links to the pages, where people sign in, and never to the page of an answer:
// everybody in the room could give it.
type Chat struct{ Calls *Calls }

// Send makes one attempt.
func (s Chat) Send(ctx context.Context, c *deliveryv1.ChannelSet, secrets *deliveryv1.ChannelSecrets, m *Message) (outcome, error) {
	var card any = slackCard(m)
	if c.GetKind() == deliveryv1.ChannelKind_CHANNEL_KIND_TEAMS {
		card = teamsCard(m)
	}
	body, err := json.Marshal(card)
	if err != nil {
		return outcome{}, err
	}
	return s.Calls.post(ctx, c, secrets.GetUrl(), http.Header{}, body), nil
}

type object = map[string]any

// slackEscape keeps text from being read as a mention or a link.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackCard is a message in Slack's blocks; text is what a notification shows.
func slackCard(m *Message) object {
	var lines []string
	for _, f := range m.Facts {
		lines = append(lines, "*"+slackEscape.Replace(f.Name)+"*: "+slackEscape.Replace(f.Value))
	}
	blocks := []object{
		{"type": "section", "text": object{"type": "mrkdwn", "text": "*" + slackEscape.Replace(m.Subject) + "*\n" + slackEscape.Replace(m.Intro)}},
		{"type": "section", "text": object{"type": "mrkdwn", "text": shorten(strings.Join(lines, "\n"), 2900)}},
	}
	if m.Page != "" {
		blocks = append(blocks, object{"type": "context", "elements": []object{{"type": "mrkdwn", "text": "<" + m.Page + "|Open the lead>"}}})
	}
	return object{"text": slackEscape.Replace(m.Subject), "blocks": blocks}
}

// teamsCard is a message with one adaptive card.
func teamsCard(m *Message) object {
	facts := []object{}
	for _, f := range m.Facts {
		facts = append(facts, object{"title": f.Name, "value": f.Value})
	}
	card := object{
		"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
		"body": []object{
			{"type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": true, "text": m.Subject},
			{"type": "TextBlock", "wrap": true, "text": m.Intro},
			{"type": "FactSet", "facts": facts},
		},
	}
	if m.Page != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": "Open the lead", "url": m.Page}}
	}
	return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}}
}

// shorten cuts a text that is longer than the other side takes.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
