/* Promela model of the page-table races; same steps as models.py.
 * (models.py: tests/explore/models.py.)  Every atomic{} is one atomic step (d_step would forbid jumping onto it).  Parameters (spin -D / gcc need not know them):
 *   K      ptes walked            W      number of walker CPUs (1..3)
 *   MUT    1 munmap, 2 collapse   WLK    1 mkold, 2 gup-fast
 *   LM     0 no mmap lock, 1 read lock, 2 read lock + VMA lookup
 *   FR     0 free at once, 1 wait for IPI acks, 2 RCU-like grace period
 */
#ifndef K
#define K 1
#endif
#ifndef W
#define W 1
#endif
#ifndef MUT
#define MUT 1
#endif
#ifndef WLK
#define WLK 1
#endif
#ifndef LM
#define LM 0
#endif
#ifndef FR
#define FR 0
#endif
#define FREED 0
#define DATA  5
#define HUGE  9
#define YP    3   /* present | young */

byte fst[4];                 /* frame state: 4 pgd, 3 pud, 2 pmd, 1 pte page, FREED, DATA */
byte pgd = 1, pud = 2, pmd = 3;
byte pte[K];
bit  ptl2, ptl3;
byte readers; bit writer; bit vma = 1;
#if WLK == 2
byte ref[K];
byte irq[W];                 /* odd: this CPU has interrupts disabled */
#endif

#define CHK(f,l) assert(fst[f] == l)

#if WLK == 1
proctype walker(byte c)
{	byte f, v, k;
#if LM > 0
	atomic { !writer -> readers++ };
#endif
#if LM == 2
	atomic { true -> v = vma };
	if
	:: atomic { v == 0 -> readers-- } -> goto done
	:: else -> v = 0
	fi;
#endif
	atomic { true -> CHK(0,4); f = pgd };
	atomic { true -> CHK(1,3); f = pud };
	atomic { true -> CHK(2,2); f = pmd };
	if
	:: f != 3 -> goto out
	:: atomic { f == 3 && !ptl3 -> CHK(3,1); ptl3 = 1 }
	fi;
	do
	:: atomic { v == 0 && k < K  -> CHK(3,1); v = pte[k]; k++ }
	:: atomic { v != 0           -> CHK(3,1); pte[k-1] = pte[k-1] & 1; v = 0 }
	:: atomic { v == 0 && k == K -> CHK(3,1); ptl3 = 0 } -> break
	od;
out:
#if LM > 0
	atomic { true -> readers-- };
#endif
done:	skip
}
#else
proctype walker(byte c)
{	byte f, v, v2, k;
	atomic { true -> irq[c]++ };
	atomic { true -> CHK(0,4); f = pgd };
	atomic { true -> CHK(1,3); f = pud };
	atomic { true -> CHK(2,2); f = pmd };
	if
	:: f != 3 -> goto out
	:: else
	fi;
	do
	:: atomic { k < K -> CHK(3,1); v = pte[k] };
	   if
	   :: v == 0 -> break
	   :: else
	   fi;
	   atomic { true -> if :: ref[k] > 0 -> ref[k]++ :: else -> v = 0 fi };
	   if
	   :: v == 0 -> break
	   :: else
	   fi;
	   atomic { true -> CHK(2,2); v2 = pmd };
	   if
	   :: v2 != f -> v2 = 0
	   :: else -> atomic { true -> CHK(3,1); v2 = pte[k] }
	   fi;
	   if
	   :: atomic { v2 != v -> ref[k]-- } -> break
	   :: else -> k++
	   fi
	:: k == K -> break
	od;
out:	atomic { true -> irq[c]++ }
}
#endif

proctype mutator()
{	byte k;
#if FR == 2
	byte snap[W];
#endif
	atomic { !writer && readers == 0 -> writer = 1 };
#if MUT == 1
	atomic { true -> vma = 0 };
	atomic { true -> writer = 0; readers++ };
	atomic { !ptl3 -> CHK(3,1); ptl3 = 1 };
	do
	:: atomic { k < K  -> CHK(3,1); pte[k] = 0; k++ }
	:: atomic { k == K -> CHK(3,1); ptl3 = 0; k = 0 } -> break
	od;
#if WLK == 2
	do
	:: atomic { k < K -> ref[k]--; k++ }
	:: k == K -> k = 0; break
	od;
#endif
	atomic { !ptl2 -> CHK(2,2); ptl2 = 1 };
	atomic { true -> CHK(2,2); pmd = 0 };
	atomic { true -> CHK(2,2); ptl2 = 0 };
#if FR == 1
	do
	:: atomic { k < W && (irq[k] & 1) == 0 -> k++ }
	:: k == W -> k = 0; break
	od;
#endif
#if FR == 2
	do
	:: atomic { k < W -> snap[k] = irq[k]; k++ }
	:: k == W -> k = 0; break
	od;
	do
	:: k < W && (snap[k] & 1) == 0 -> k++
	:: atomic { k < W && (snap[k] & 1) && irq[k] != snap[k] -> k++ }
	:: k == W -> k = 0; break
	od;
#endif
	atomic { true -> fst[3] = FREED };
	atomic { true -> fst[3] = DATA; k = 0; do :: k < K -> pte[k] = YP; k++ :: else -> break od };
	atomic { true -> readers-- }
#else
	atomic { !ptl2 -> CHK(2,2); ptl2 = 1 };
	atomic { true -> CHK(2,2); pmd = 0 };
	atomic { true -> CHK(2,2); ptl2 = 0 };
	atomic { !ptl3 -> CHK(3,1); ptl3 = 1 };
	do
	:: atomic { k < K  -> CHK(3,1); k++ }                /* isolate: read pte[k] */
	:: k == K -> k = 0; break
	od;
	do
	:: atomic { k < K  -> CHK(3,1); pte[k] = 0; k++ }    /* copy and clear */
	:: atomic { k == K -> CHK(3,1); ptl3 = 0; k = 0 } -> break
	od;
	atomic { !ptl2 -> CHK(2,2); ptl2 = 1 };
	atomic { true -> CHK(2,2); pmd = HUGE };
	atomic { true -> CHK(2,2); ptl2 = 0 };
	atomic { true -> fst[3] = FREED };
	atomic { true -> fst[3] = DATA; k = 0; do :: k < K -> pte[k] = YP; k++ :: else -> break od };
	atomic { true -> writer = 0 }
#endif
}

init {
	byte i;
	d_step {
		fst[0] = 4; fst[1] = 3; fst[2] = 2; fst[3] = 1;
		do
		:: i < K -> pte[i] = YP;
#if WLK == 2
			ref[i] = 1;
#endif
			i++
		:: else -> break
		od; i = 0
	}
	atomic {
		do
		:: i < W -> run walker(i); i++
		:: else -> break
		od;
		run mutator()
	}
}
