// The whole guest: four words at 0x40100000 go into MAIR_EL1, TCR_EL1, TTBR0_EL1 and TTBR1_EL1, and translation is switched on.
// What it fetches next is hardly mapped; it need not run on, only be stopped and asked.
.global _start
_start:
        ldr     x9, =0x40100000
        ldp     x0, x1, [x9]
        ldp     x2, x3, [x9, 16]
        msr     mair_el1, x0
        msr     tcr_el1, x1
        msr     ttbr0_el1, x2
        msr     ttbr1_el1, x3
        isb
        tlbi    vmalle1
        dsb     ish
        isb
        mrs     x4, sctlr_el1
        orr     x4, x4, 1
        msr     sctlr_el1, x4
        isb
stay:   b       stay
