"""The same project elsewhere: what is to be there, what is there, and the way between.

    desired  ──┐
               ├──▶  plan (pure)  ──▶  apply, step by step
    found    ──┘

A *resource* says what is to be there, and is pure: an address, properties that can be
compared, the addresses it needs, the traits of its kind. What *is* there is *found* by
the provider of the resource. `planning.plan` compares the two and puts what is to do
into one order over all providers; `applying.apply_plan` does exactly that.

How a provider plugs in (`provider.Provider`; `snowflake/` is the example):

1. One frozen dataclass for each kind, which satisfies `resource.Resource`. `needs` may
   name resources of other providers: the order follows. A property whose value is only
   known once another resource is there is a `Reference` to one of its outputs.

       @dataclass(frozen=True)
       class Topic:
           name: str
           subscriber: Value        # Reference(integration, "iam_user_arn")
           needs: tuple[Address, ...] = ()
           traits = Traits(rank=20)

           @property
           def address(self) -> Address:
               return Address("aws", "topic", self.name)

           @property
           def properties(self) -> Mapping[str, Value]:
               return {"subscriber": self.subscriber}

           def refuses(self, name: str, before: Value, after: Value) -> str:
               return ""            # all of it can be changed where it stands

2. `look(desired)` returns a `Sight`: a `Found` for everything desired that exists, and
   for everything else that bears our mark; an `Unseen` for what a missing privilege
   hides. Properties are in the form in which the resource says them; one that cannot be
   read is left out, and is compared by the digest in the mark. The mark says whose a
   resource is: no mark, or another's, and it is never touched. Where a kind can bear no
   mark, the provider gives it that of what it belongs to (`of_what_belongs_to_it`).

3. `script(step)` returns what a step does, to be read; nothing is asked or changed.

4. `carry_out(step, values)` does one step: `step.action` is create, change, replace or
   drop, `step.wanted` the resource, `step.found` what was there, `values.properties`
   the properties with every reference resolved, `values.mark` the mark to write. It can
   be repeated: whatever it was stopped after, looking and planning anew leads to the
   same end. What it cannot do it raises as a `SnowmeltError` that names the remedy.

5. `outputs(address)` returns what references may ask for, read anew.

What both clouds call each other is in `naming.Names`. Who makes the resources of a
project adds to what `opening.open_deployment` puts together.

Nothing is remembered outside of the accounts themselves: no state file can be lost.
"""
