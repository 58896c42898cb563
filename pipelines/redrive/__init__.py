"""Dead letters: look at them, and hand their bytes once more to the pipeline that refused them.

A redrive is asked for by a record in dead-letters that holds the letter's bytes and its offset. The
slot that owns the partition reads these requests beside its input, steps each letter once in its
own transaction, and answers with a receipt, in dead-letters too, in that same transaction.
"""
