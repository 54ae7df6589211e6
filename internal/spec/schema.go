package spec

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"

	"github.com/assay-ml/assay/internal/stats"
	"github.com/invopop/jsonschema"
)

// Schema is the spec's JSON Schema (draft 2020-12), indented, for editors. Texts with ${NAME} in place of a number or a
// duration are accepted by Parse but not by the schema, which cannot know what they become.
func Schema() []byte {
	r := jsonschema.Reflector{
		Anonymous:                  true,
		RequiredFromJSONSchemaTags: true, // the rules say what is required
		FieldNameTag:               "yaml",
		ExpandedStruct:             true,
		Mapper:                     scalarSchema,
	}
	s := r.Reflect(&Spec{})
	s.Title = "Assay spec"
	s.Description = "One model's life: data, training, gates, review, rollout, monitoring, retraining."
	describe(s, reflect.TypeFor[Spec]())
	for _, t := range structTypes() {
		if def, ok := s.Definitions[t.Name()]; ok {
			describe(def, t)
		}
	}
	describeTasks(s.Definitions["Target"])
	describeTrainers(s.Definitions["Train"])
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("schema of the spec: " + err.Error()) // depends on the types and rules only; tested
	}
	return append(out, '\n')
}

// scalarSchema describes the types that a spec shows as other than they are in Go.
func scalarSchema(t reflect.Type) *jsonschema.Schema {
	scalar := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "number"}, {Type: "string"}, {Type: "boolean"}}}
	switch t {
	case reflect.TypeFor[Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: durationPattern, MinLength: new(uint64(1)), Examples: []any{"90s", "10m", "1h30m", "3d"}}
	case scalarType:
		return scalar
	case reflect.TypeFor[Parameters]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: scalar}
	}
	return nil
}

// describeTasks says that a binary target needs a positive value, and another has none.
func describeTasks(target *jsonschema.Schema) {
	binary, without := jsonschema.NewProperties(), jsonschema.NewProperties()
	binary.Set("task", &jsonschema.Schema{Const: string(stats.Binary)}) // or not there
	without.Set("positive", jsonschema.FalseSchema)
	target.If = &jsonschema.Schema{Properties: binary}
	target.Then = &jsonschema.Schema{Required: []string{"positive"}}
	target.Else = &jsonschema.Schema{Properties: without}
}

// describeTrainers says what a spec needs beside each trainer: a built-in one its own parameters, a command the command.
func describeTrainers(train *jsonschema.Schema) {
	parameters := jsonschema.NewProperties()
	for _, r := range logisticRules {
		property := &jsonschema.Schema{Type: "number"}
		if r.whole {
			property.Type = "integer"
		}
		r.describe(property)
		parameters.Set(r.name, property)
	}
	builtIn, logistic := jsonschema.NewProperties(), jsonschema.NewProperties()
	builtIn.Set("trainer", &jsonschema.Schema{Const: TrainerLogistic})
	logistic.Set("parameters", &jsonschema.Schema{Type: "object", Properties: parameters, AdditionalProperties: jsonschema.FalseSchema})
	logistic.Set("command", jsonschema.FalseSchema)
	train.If = &jsonschema.Schema{Properties: builtIn}
	train.Then = &jsonschema.Schema{Properties: logistic}
	train.Else = &jsonschema.Schema{Required: []string{"command"}}
}

// structTypes are the types below Spec.
func structTypes() []reflect.Type {
	var types []reflect.Type
	walkFields(reflect.TypeFor[Spec](), "", func(_ string, f reflect.StructField, _ rule) {
		if t, _ := innermost(f.Type); t.Kind() == reflect.Struct && t != scalarType {
			types = append(types, t)
		}
	})
	return types
}

// describe puts the rules of a type's fields into its schema.
func describe(s *jsonschema.Schema, t reflect.Type) {
	s.Required = nil
	for _, f := range fieldsOf(t) {
		property, ok := s.Properties.Get(f.key)
		if !ok {
			continue
		}
		f.rule.describe(property)
		if f.rule.required {
			s.Required = append(s.Required, f.key)
		}
	}
}

func (r rule) describe(s *jsonschema.Schema) {
	s.Description = r.says
	s.Default = r.standard
	value := s
	if s.Type == "array" {
		s.UniqueItems = r.distinct
		if r.filled {
			s.MinItems = new(uint64(1))
		}
		value = s.Items
	}
	if r.names != "" {
		s.PropertyNames = &jsonschema.Schema{Pattern: r.names}
		if r.filled {
			s.MinProperties = new(uint64(1))
		}
		value = s.AdditionalProperties
	}
	if r.pattern != "" {
		value.Pattern = r.pattern
	}
	for _, e := range r.enum {
		value.Enum = append(value.Enum, e)
	}
	if value.Type != "number" && value.Type != "integer" {
		return
	}
	if least := json.Number(strconv.FormatFloat(r.least, 'g', -1, 64)); !math.IsInf(r.least, 0) && r.above {
		value.ExclusiveMinimum = least
	} else if !math.IsInf(r.least, 0) {
		value.Minimum = least
	}
	if !math.IsInf(r.most, 0) {
		value.Maximum = json.Number(strconv.FormatFloat(r.most, 'g', -1, 64))
	}
}
