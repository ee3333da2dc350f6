package agreement

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// SchemaName is what the schema is called where it is kept beside a document.
const SchemaName = "agreement.schema.json"

// Patterns of texts. Reading judges more than they can say (that a date exists,
// that hours end after they begin), and never less.
const (
	patternDuration = `^([0-9]+d([0-9]+h)?([0-9]+m)?|[0-9]+h([0-9]+m)?|[0-9]+m)$`
	patternInstant  = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{1,2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$`
	patternDate     = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	patternHours    = `^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$`
	patternKey      = `^ed25519:[A-Za-z0-9+/]{43}=$`
	patternName     = `^[a-z_][a-z0-9_]*$`
	patternText     = `\S`
)

// object is one JSON object; encoding sorts its names.
type object map[string]any

// Schema is the JSON Schema (draft 2020-12) of the document, for editors. Whatever
// Compile accepts is valid by it; what it cannot say is said by Compile alone.
func Schema() []byte {
	root := describe().schema()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Baton agreement"
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	// It is made of maps, lists, texts and numbers, and a test makes it.
	if err := e.Encode(root); err != nil {
		panic("the schema cannot be written: " + err.Error())
	}
	return out.Bytes()
}

// scalars are what YAML makes of text that is not in quotes.
var scalars = []string{"string", "number", "boolean"}

func (s *shape) schema() object {
	o := object{}
	if about := s.about; about != "" {
		if s.kind == kindOfCondition {
			about += " It is " + s.value() + "."
		}
		o["description"] = about
	}
	switch s.kind {
	case kindOfKeys:
		known := object{}
		required := []string{}
		for _, k := range s.keys {
			known[k.name] = k.schema()
			if k.must {
				required = append(required, k.name)
			}
		}
		o["type"], o["properties"], o["additionalProperties"] = "object", known, false
		if len(required) > 0 {
			o["required"] = required
		}
	case kindOfNames:
		o["type"], o["additionalProperties"] = "object", s.item.schema()
		if s.chars != "" {
			o["propertyNames"] = object{"pattern": s.pattern(), "maxLength": maxToken}
		}
		if s.least > 0 {
			o["minProperties"] = s.least
		}
	case kindOfList:
		o["type"], o["items"] = "array", s.item.schema()
		if s.nothing {
			o["type"] = []string{"array", "null"}
		}
		if s.least > 0 {
			o["minItems"] = s.least
		}
	case kindOfWays:
		ways := make([]object, len(s.ways))
		for i, w := range s.ways {
			ways[i] = w.schema()
		}
		o["anyOf"] = ways
	case kindOfText:
		o["type"], o["pattern"], o["maxLength"] = scalars, patternText, s.most
	case kindOfToken:
		o["type"], o["pattern"], o["maxLength"] = scalars, s.pattern(), s.most
	case kindOfName:
		o["type"], o["pattern"], o["maxLength"] = "string", patternName, maxToken
		o["not"] = object{"enum": s.words}
	case kindOfInteger:
		o["type"], o["minimum"], o["maximum"] = "integer", s.least, s.most
	case kindOfFlag:
		o["type"] = "boolean"
	case kindOfChoice:
		o["enum"] = s.words
	case kindOfDuration:
		o["type"], o["pattern"] = "string", patternDuration
	case kindOfInstant:
		o["type"], o["pattern"] = "string", patternInstant
	case kindOfDate:
		o["type"], o["pattern"] = "string", patternDate
	case kindOfHours:
		o["type"], o["pattern"] = "string", patternHours
	case kindOfKey:
		o["type"], o["pattern"] = "string", patternKey
	case kindOfCondition:
		o["type"], o["maxLength"] = []string{"string", "boolean"}, maxCondition
	}
	return o
}

// pattern is that of a token. The hyphen stands last, where it means itself.
func (s *shape) pattern() string {
	chars := strings.NewReplacer("abcdefghijklmnopqrstuvwxyz", "a-z", "0123456789", "0-9").Replace(strings.ReplaceAll(s.chars, "-", ""))
	if strings.Contains(s.chars, "-") {
		chars += "-"
	}
	return "^[" + chars + "]+$"
}

// value says in words what to write.
func (s *shape) value() string {
	switch s.kind {
	case kindOfKeys:
		return "the keys below"
	case kindOfNames:
		names := "names of your choice"
		if s.chars != "" {
			names += " (" + s.described + ")"
		}
		return names + ", each with " + s.item.value()
	case kindOfList:
		list := "a list"
		if s.nothing {
			list = "nothing or a list"
		}
		switch s.item.kind {
		case kindOfKeys:
			list += ", each element with the keys below"
		case kindOfText:
			list += " of texts"
		case kindOfToken:
			list += " of words (" + s.item.described + ")"
		default:
			list += "; each element is " + s.item.value()
		}
		if s.least > 0 {
			list += "; at least one"
		}
		return list
	case kindOfWays:
		ways := make([]string, len(s.ways))
		for i, w := range s.ways {
			ways[i] = w.value()
		}
		return strings.Join(ways, "; or ")
	case kindOfText:
		if s.most < maxText {
			return fmt.Sprintf("a text of at most %d characters", s.most)
		}
		return "a text"
	case kindOfToken:
		return fmt.Sprintf("a word: %s, at most %d", s.described, s.most)
	case kindOfName:
		return "a word: " + s.described + ", not beginning with a digit"
	case kindOfInteger:
		if s.least == s.most {
			return fmt.Sprintf("`%d`", s.least)
		}
		return fmt.Sprintf("a whole number from %d to %d", s.least, s.most)
	case kindOfFlag:
		return "`true` or `false`"
	case kindOfChoice:
		return oneOf(quoted(s.words))
	case kindOfDuration:
		return "a duration such as `30m`, `2h` or `3d`"
	case kindOfInstant:
		return "a time with its zone, such as `2027-01-01T00:00:00Z`"
	case kindOfDate:
		return "a date such as `2026-12-25`"
	case kindOfHours:
		return "hours such as `09:00-17:00`"
	case kindOfKey:
		return "a key as `baton agreement init` writes it"
	case kindOfCondition:
		return "a condition such as `lead.employees >= 20`"
	}
	return "nothing"
}

func quoted(words []string) []string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = "`" + word + "`"
	}
	return out
}
